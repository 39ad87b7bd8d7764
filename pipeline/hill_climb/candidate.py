"""One candidate: the student it starts from, and its evaluation (Algorithm 1, lines 8 to 15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from pipeline.config.hill_climb import HillClimbConfig
from pipeline.detection.complexity import detector_complexity
from pipeline.hill_climb.records import Base, Evaluation, Proposal
from pipeline.hill_climb.scoring import scores_of
from pipeline.morphism.actions import apply_action
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.slicing import Weights


def inherit(
    proposal: Proposal, architecture: Architecture, weights: Weights
) -> tuple[Architecture, dict[str, Tensor]]:
    """The student that a candidate trains, with the weights it inherits.

    Args:
        proposal: what changes.
        architecture: of the parent's student, or the base.
        weights: its state dict; it is not changed.

    Raises:
        ActionError: the action is not possible for this architecture.
    """
    if proposal.action is None:
        return architecture, {name: value.detach().clone() for name, value in weights.items()}
    return apply_action(proposal.action, architecture, weights)


def evaluation(
    proposal: Proposal,
    architecture: Architecture,
    metrics: Sequence[Mapping[str, Any]],
    base: Base,
    settings: HillClimbConfig,
    proposals: int,
) -> Evaluation:
    """What the search keeps of a trained candidate.

    Args:
        proposal: how it came about.
        architecture: of the student that was trained.
        metrics: its validation at every resolution, as `StudentTraining.metrics` holds them.
        base: what H measures it against.
        settings: α and β.
        proposals: RoIs that its head processes, as counted for the base.

    Raises:
        DetSearchError: a validation has no AP.
    """
    macs = detector_complexity(architecture, proposals).total.macs
    return Evaluation(
        proposal=proposal,
        architecture=architecture,
        macs=macs,
        scores=scores_of(metrics, macs, base, settings),
    )
