"""Pruning a detector until it computes no more than another: the pipelines of Joint-DetNAS's Table 5."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from pipeline.morphism.channels import prune_channels
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.slicing import Weights


def prune_within(
    architecture: Architecture,
    weights: Weights,
    budget: int,
    cost: Callable[[Architecture], int],
    percentage: float,
) -> tuple[Architecture, dict[str, Tensor]]:
    """Remove a percentage of the channels that are left, again and again, until the cost fits.

    Args:
        architecture: of the detector.
        weights: its state dict; it is not changed.
        budget: the highest cost that is allowed.
        cost: of an architecture.
        percentage: of the channels, each time: small ones come close to the budget.

    Raises:
        ActionError: no channel may leave any more, and the cost is still higher.
    """
    student, inherited = architecture, dict(weights)
    while cost(student) > budget:
        student, inherited = prune_channels(student, inherited, percentage)
    return student, inherited
