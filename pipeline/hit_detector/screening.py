"""Screening a component's sub search space (Hit-Detector, section 3.2)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from pipeline.config.hit_detector import Regularizer, ScreeningConfig
from pipeline.hit_detector.alternation import AlternatingTask, Loss
from pipeline.hit_detector.objective import candidate_scores, column_sparsity
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record
from pipeline.training.stream import BatchStream

log = logging.getLogger(__name__)


class Screening(AlternatingTask):
    """Learns α of all components under Eq. 4, and removes candidates of one until `keep` are left.

    Removal is gradual: the number of living candidates falls linearly from N, when α begins to be
    optimised, to `keep` at the end; the one with the lowest score goes.

    Args:
        component: the component under screening.
        keep: candidates to keep, N_b, N_n or N_h.
        model: the supernet.
        settings: the `screening` section.
        choices: the choice layers of all components that have some.
        loss: the task's loss.
        halves: the two data streams.

    Raises:
        ValueError: fewer candidates than `keep`.
    """

    def __init__(
        self,
        component: str,
        keep: int,
        model: nn.Module,
        settings: ScreeningConfig,
        choices: Mapping[str, Sequence[ChoiceLayer]],
        loss: Loss,
        halves: tuple[BatchStream, BatchStream],
    ) -> None:
        super().__init__(model, settings, choices, loss, halves)
        self.mu = settings.mu
        self.regularizer: Regularizer = settings.regularizer
        self.component, self.keep = component, keep
        self.layers = list(choices[component])
        self.candidates = len(self.layers[0].names)
        if keep > self.candidates:
            raise ValueError(
                f"cannot keep {keep} operations for the {component}: "
                f"its search space has {self.candidates}"
            )
        self.removed: list[dict[str, Any]] = []

    def penalty(self) -> Tensor:
        """μ times the column-sparse regulariser of the component under screening (Eq. 4)."""
        return self.mu * column_sparsity(self.layers, self.regularizer)

    def living_after(self, done: int) -> int:
        """How many candidates live after `done` iterations."""
        progress = (done - self.architecture_start) / (self.iterations - self.architecture_start)
        return self.candidates - round((self.candidates - self.keep) * max(0.0, progress))

    def after_architecture_step(self, done: int) -> None:
        """Remove the weakest candidates, as many as the schedule says."""
        while int(self.layers[0].alive.sum()) > self.living_after(done):
            scores = candidate_scores(self.layers)
            # of equal scores the later in the paper's list goes
            weakest = min(reversed(scores), key=lambda name: scores[name])
            index = self.layers[0].names.index(weakest)
            for layer in self.layers:
                layer.remove(index)
            self.removed.append(
                {
                    "epoch": -(-done // self.epoch_length),
                    "iteration": done,
                    "operation": weakest,
                    "score": scores[weakest],
                }
            )
            log.info("screening %s: removed %s", self.component, weakest)

    def step(self, iteration: int, data: tuple[Any, Any]) -> Record:
        """One alternation; logs the score of each living candidate."""
        record = super().step(iteration, data)
        record["candidates"] = float(self.layers[0].alive.sum())
        return record

    def end_epoch(self, epoch: int) -> Record:
        """The scores, for the curves of Figure 4."""
        scores = candidate_scores(self.layers)
        return {f"probability/{self.component}/{name}": score for name, score in scores.items()}

    def result(self) -> dict[str, Any]:
        """`sub_search_space.json`: kept operations by falling score, all scores, the removals."""
        living = candidate_scores(self.layers)
        gone = {entry["operation"]: entry["score"] for entry in self.removed}
        scores = {name: living.get(name, gone.get(name)) for name in self.layers[0].names}
        return {
            "format": 1,
            "component": self.component,
            "kept": sorted(living, key=lambda name: -living[name]),
            "scores": scores,
            "removed": self.removed,
        }

    def state_dict(self) -> dict[str, Any]:
        """Adds the removals."""
        return super().state_dict() | {"removed": self.removed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back `state_dict`."""
        super().load_state_dict(state)
        self.removed = state["removed"]
