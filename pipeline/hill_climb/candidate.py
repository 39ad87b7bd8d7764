"""One candidate: the student it starts from, and its evaluation (Algorithm 1, lines 8 to 15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.artifacts.weights import WEIGHTS, load_weights
from pipeline.config.distillation import StudentTrainingConfig
from pipeline.config.hill_climb import Scoring
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.distillation.training import StudentTraining, student_training
from pipeline.errors import DetSearchError
from pipeline.front.predictor import Predictor, Work
from pipeline.hill_climb.parents import load_parent
from pipeline.hill_climb.records import Base, Evaluation, Proposal, load_ranking
from pipeline.hill_climb.scoring import scores_of
from pipeline.morphism.actions import apply_action
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.search_space.slicing import Weights
from pipeline.teacher_pool.pool import load_pool, teacher_of
from pipeline.teacher_pool.space import Resolution
from pipeline.training.seeding import seed_everything


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


@dataclass(frozen=True)
class Start:
    """What a candidate's training begins with.

    Attributes:
        base: architecture of the base detector.
        architecture: of the candidate's student.
        weights: that it inherits.
        epochs: that its ancestors were trained in the search.
        statistics: the batch statistics of its teacher, where that is its parent's: measured once.
    """

    base: Architecture
    architecture: Architecture
    weights: Weights
    epochs: int
    statistics: Weights | None = None


def load_start(proposal: Proposal, base: Path, ranking: Path | None) -> Start:
    """The student of a proposal as it inherits.

    Args:
        proposal: of the candidate.
        base: the base's detector folder.
        ranking: the folder of the ranking before; not needed where the parent is the base.

    Raises:
        ArtifactError: a file is missing, or not what it should be.
        DetSearchError: the parent is not in the list of the ranking.
        ActionError: as `inherit`.
    """
    first = Architecture.load(base / ARCHITECTURE)
    if proposal.parent is None:
        return Start(first, *inherit(proposal, first, load_weights(base / WEIGHTS)[0]), epochs=0)
    if ranking is None:
        raise DetSearchError(
            f"{proposal.name.folder} descends from {proposal.parent.folder}, but there is no "
            "ranking to inherit from"
        )
    parent = load_ranking(ranking).find(proposal.parent)
    handed_on = load_parent(ranking, proposal.parent)
    return Start(
        first,
        *inherit(proposal, parent.architecture, handed_on.weights),
        epochs=parent.epochs,
        statistics=handed_on.statistics if proposal.teacher == parent.proposal.teacher else None,
    )


def teacher_from(
    pool: Path,
    proposal: Proposal,
    around: Surroundings,
    index: DatasetIndex,
    settings: Recalibration,
    device: torch.device,
    *,
    teaches_at: Sequence[Resolution],
    statistics: Weights | None,
) -> Any:
    """The teacher of a proposal: a subnet of the pool in `pool`.

    Its batch statistics are those that its parent's teacher had, or measured anew where that was another.
    """
    teacher, _ = teacher_of(
        load_pool(pool, around, device),
        proposal.teacher,
        around,
        index,
        settings,
        device,
        teaches_at=teaches_at,
        statistics=statistics,
    )
    return teacher


def candidate_training(
    start: Start,
    teacher: Any,
    settings: StudentTrainingConfig,
    around: Surroundings,
    index: DatasetIndex,
    seed: int,
    device: torch.device,
) -> StudentTraining:
    """The training of a candidate; all that it draws follows from `seed`, of the candidate's own."""
    seed_everything(seed)
    student: Any = build_detector(start.architecture, around)
    student.load_state_dict(dict(start.weights))
    return student_training(student.to(device), teacher, settings, index, around.detector, seed)


@dataclass(frozen=True)
class Cost:
    """What a detector costs, at the input size of its architecture.

    Attributes:
        macs: multiply-accumulates.
        milliseconds: of an image, predicted; `None` where the score counts MACs.
    """

    macs: int
    milliseconds: float | None = None

    @property
    def counted(self) -> float:
        """C of the score H."""
        return self.macs if self.milliseconds is None else self.milliseconds


def cost_of(architecture: Architecture, proposals: int, predictor: Predictor | None) -> Cost:
    """The cost of a detector of the search.

    Args:
        architecture: of the detector.
        proposals: RoIs that its head processes.
        predictor: of latency, from subnets of the pool; `None` where MACs are the cost.

    Raises:
        DetSearchError: the detector is made of other blocks than the subnets that were measured.
    """
    if predictor is None:
        return Cost(detector_complexity(architecture, proposals).total.macs)
    height, width = architecture.input_size
    work = Work.of(architecture, (max(height, width), min(height, width)), proposals)
    return Cost(work.macs, predictor.milliseconds(work))


def evaluation(
    proposal: Proposal,
    architecture: Architecture,
    metrics: Sequence[Mapping[str, Any]],
    cost: Cost,
    base: Base,
    settings: Scoring,
    epochs: int,
) -> Evaluation:
    """What the search keeps of a trained candidate.

    Args:
        proposal: how it came about.
        architecture: of the student that was trained.
        metrics: its validation at every resolution, as `StudentTraining.metrics` holds them.
        cost: of the student.
        base: what H measures it against.
        settings: α, β and the target.
        epochs: that it was trained in the search, in the candidates it descends from included.

    Raises:
        DetSearchError: a validation has no AP.
    """
    return Evaluation(
        proposal=proposal,
        architecture=architecture,
        macs=cost.macs,
        milliseconds=cost.milliseconds,
        scores=scores_of(metrics, cost.counted, base, settings),
        epochs=epochs,
    )
