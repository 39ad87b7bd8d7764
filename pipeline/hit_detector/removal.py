"""Gradual removal of a component's candidates while it is screened (Hit-Detector, section 3.2)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pipeline.config.hit_detector import Regularizer
from pipeline.hit_detector.objective import candidate_scores, column_sparsity
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record

log = logging.getLogger(__name__)


class Removal:
    """Removes candidates of one component until `keep` are left.

    The number of living candidates falls linearly from N, when α begins to be optimised, to `keep` at
    the end; the one with the lowest score goes.

    Args:
        component: the component under screening.
        keep: candidates to keep, N_b, N_n or N_h.
        layers: the component's choice layers.
        start: iterations before α is optimised.
        iterations: of the whole screening.
        epoch_length: iterations an epoch.

    Raises:
        ValueError: fewer candidates than `keep`.
    """

    def __init__(
        self,
        component: str,
        keep: int,
        layers: Sequence[ChoiceLayer],
        *,
        start: int,
        iterations: int,
        epoch_length: int,
    ) -> None:
        self.component, self.keep, self.layers = component, keep, list(layers)
        self.start, self.iterations, self.epoch_length = start, iterations, epoch_length
        self.candidates = len(self.layers[0].names)
        if keep > self.candidates:
            raise ValueError(
                f"cannot keep {keep} operations for the {component}: "
                f"its search space has {self.candidates}"
            )
        self.removed: list[dict[str, Any]] = []

    def penalty(self, regularizer: Regularizer) -> Tensor:
        """The column-sparse regulariser of the component (Eq. 4), without its weight μ; a scalar."""
        return column_sparsity(self.layers, regularizer)

    @property
    def living(self) -> int:
        """How many candidates live."""
        return len(self.layers[0].living)

    def living_after(self, done: int) -> int:
        """How many candidates are to live after `done` iterations."""
        progress = (done - self.start) / (self.iterations - self.start)
        return self.candidates - round((self.candidates - self.keep) * max(0.0, progress))

    def remove(self, done: int) -> None:
        """Remove the weakest candidates, as many as the schedule says after `done` iterations."""
        while self.living > self.living_after(done):
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

    def probabilities(self) -> Record:
        """The scores of the living candidates, for the curves of Figure 4."""
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
