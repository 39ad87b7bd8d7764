"""Screening all components at once, instead of in sequence (Hit-Detector, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.config.hit_detector import Regularizer, ScreeningConfig
from pipeline.hit_detector.alternation import AlternatingTask, Loss
from pipeline.hit_detector.removal import Removal
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record
from pipeline.training.stream import BatchStream

LIVING = "candidates"
"""Key of the number of living candidates in a component's history; here followed by its name."""


class JointScreening(AlternatingTask):
    """Learns α of all components under Eq. 4, and removes candidates of each, all in step.

    Args:
        model: the supernet, whose every component holds all candidates.
        settings: the `screening` section, whose `keep` says how many each component keeps.
        choices: the choice layers of each component.
        loss: the task's loss.
        halves: the two data streams.

    Raises:
        ValueError: fewer candidates than a component is to keep.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: ScreeningConfig,
        choices: Mapping[str, Sequence[ChoiceLayer]],
        loss: Loss,
        halves: tuple[BatchStream, BatchStream],
    ) -> None:
        super().__init__(model, settings, choices, loss, halves)
        self.mu = settings.mu
        self.regularizer: Regularizer = settings.regularizer
        self.removals = {
            component: Removal(
                component,
                getattr(settings.keep, component),
                layers,
                start=self.architecture_start,
                iterations=self.iterations,
                epoch_length=self.epoch_length,
            )
            for component, layers in choices.items()
        }

    def penalty(self) -> Tensor:
        """μ times the sum of the components' column-sparse regularisers (Eq. 4)."""
        terms = [removal.penalty(self.regularizer) for removal in self.removals.values()]
        return self.mu * torch.stack(terms).sum()

    def after_architecture_step(self, done: int) -> None:
        """Remove the weakest candidates of each component, as many as its schedule says."""
        for removal in self.removals.values():
            removal.remove(done)

    def step(self, iteration: int, data: tuple[Any, Any]) -> Record:
        """One alternation; logs each component's number of living candidates."""
        record = super().step(iteration, data)
        for component, removal in self.removals.items():
            record[f"{LIVING}/{component}"] = float(removal.living)
        return record

    def end_epoch(self, epoch: int) -> Record:
        """The scores of all components, for the curves of Figure 4."""
        record: Record = {}
        for removal in self.removals.values():
            record |= removal.probabilities()
        return record

    def results(self) -> dict[str, dict[str, Any]]:
        """By component, its `sub_search_space.json`."""
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
