"""Screening sub search spaces, of one component or of all at once (Hit-Detector, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.config.hit_detector import ScreeningConfig
from pipeline.hit_detector.alternation import AlternatingTask, Loss
from pipeline.hit_detector.removal import Removal
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record
from pipeline.training.stream import BatchStream

LIVING = "candidates"
"""Key of the number of living candidates; where several components are screened, its name follows."""


class Screening(AlternatingTask[ScreeningConfig]):
    """Learns α of all components under Eq. 4, and removes candidates of those under screening.

    Of each component `settings.keep` says how many are left; where several are screened, all fall in
    step.

    Args:
        components: those under screening: one, or all at once.
        model: the supernet, in which they hold all candidates.
        settings: the `screening` section.
        choices: the choice layers of all components that have some.
        loss: the task's loss.
        halves: the two data streams.

    Raises:
        ValueError: fewer candidates than a component is to keep.
    """

    def __init__(
        self,
        components: Sequence[str],
        model: nn.Module,
        settings: ScreeningConfig,
        choices: Mapping[str, Sequence[ChoiceLayer]],
        loss: Loss,
        halves: tuple[BatchStream, BatchStream],
    ) -> None:
        super().__init__(model, settings, choices, loss, halves)
        self.removals = {
            component: Removal(
                component,
                getattr(settings.keep, component),
                choices[component],
                start=self.architecture_start,
                iterations=self.iterations,
                epoch_length=self.epoch_length,
            )
            for component in components
        }

    def penalty(self) -> Tensor:
        """μ times the column-sparse regulariser (Eq. 4), summed over the components under screening."""
        kind = self.settings.regularizer
        terms = [removal.penalty(kind) for removal in self.removals.values()]
        return self.settings.mu * torch.stack(terms).sum()

    def after_architecture_step(self, done: int) -> None:
        """Remove the weakest candidates of each component, as many as its schedule says."""
        for removal in self.removals.values():
            removal.remove(done)

    def step(self, iteration: int, data: tuple[Any, Any]) -> dict[str, Tensor | float]:
        """One alternation; logs the numbers of living candidates."""
        record = super().step(iteration, data)
        for component, removal in self.removals.items():
            name = LIVING if len(self.removals) == 1 else f"{LIVING}/{component}"
            record[name] = float(removal.living)
        return record

    def end_epoch(self, epoch: int) -> Record:
        """The scores, for the curves of Figure 4."""
        record: Record = {}
        for removal in self.removals.values():
            record |= removal.probabilities()
        return record

    def results(self) -> dict[str, dict[str, Any]]:
        """By component under screening, its `sub_search_space.json`."""
        return {component: removal.result() for component, removal in self.removals.items()}

    def state_dict(self) -> dict[str, Any]:
        """Adds each component's removals."""
        removed = {component: removal.removed for component, removal in self.removals.items()}
        return super().state_dict() | {"removed": removed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back `state_dict`."""
        super().load_state_dict(state)
        for component, removal in self.removals.items():
            removal.removed = state["removed"][component]


def component_history(records: Sequence[Record], component: str) -> list[Record]:
    """A component's own history out of the joint one, as its screening alone would have logged it.

    Args:
        records: the joint screening's history.
        component: whose candidates and probabilities to keep; what all components share stays.
    """
    taken: list[Record] = []
    for record in records:
        own: Record = {}
        for key, value in record.items():
            kind, _, rest = key.partition("/")
            if key == f"{LIVING}/{component}":
                own[LIVING] = value
            elif kind != LIVING and (kind != "probability" or rest.startswith(f"{component}/")):
                own[key] = value
        taken.append(own)
    return taken
