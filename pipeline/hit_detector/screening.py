"""Screening a component's sub search space (Hit-Detector, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from pipeline.config.hit_detector import Regularizer, ScreeningConfig
from pipeline.hit_detector.alternation import AlternatingTask, Loss
from pipeline.hit_detector.removal import Removal
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record
from pipeline.training.stream import BatchStream


class Screening(AlternatingTask):
    """Learns α of all components under Eq. 4, and removes candidates of one until `keep` are left.

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
        self.removal = Removal(
            component,
            keep,
            choices[component],
            start=self.architecture_start,
            iterations=self.iterations,
            epoch_length=self.epoch_length,
        )

    def penalty(self) -> Tensor:
        """μ times the column-sparse regulariser of the component under screening (Eq. 4)."""
        return self.mu * self.removal.penalty(self.regularizer)

    def after_architecture_step(self, done: int) -> None:
        """Remove the weakest candidates, as many as the schedule says."""
        self.removal.remove(done)

    def step(self, iteration: int, data: tuple[Any, Any]) -> Record:
        """One alternation; logs the number of living candidates."""
        record = super().step(iteration, data)
        record["candidates"] = float(self.removal.living)
        return record

    def end_epoch(self, epoch: int) -> Record:
        """The scores, for the curves of Figure 4."""
        return self.removal.probabilities()

    def result(self) -> dict[str, Any]:
        """`sub_search_space.json`."""
        return self.removal.result()

    def state_dict(self) -> dict[str, Any]:
        """Adds the removals."""
        return super().state_dict() | {"removed": self.removal.removed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back `state_dict`."""
        super().load_state_dict(state)
        self.removal.removed = state["removed"]
