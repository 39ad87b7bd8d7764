"""What a search writes down: proposals, evaluations, and the list after a generation. Imports no mmdet."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, TypeAdapter, model_validator

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.typed import read_as
from pipeline.errors import DetSearchError
from pipeline.morphism.actions import Action
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.block import Part
from pipeline.teacher_pool.space import Resolution, Subnet


class Name(Part):
    """Which candidate: both numbers count from 0."""

    generation: int = Field(ge=0)
    candidate: int = Field(ge=0)

    @property
    def folder(self) -> str:
        """Where it lies in the folder of the search."""
        return f"generation_{self.generation}/candidate_{self.candidate}"


class Proposal(Part):
    """A student–teacher pair before its evaluation.

    Attributes:
        name: of the candidate.
        parent: from which the student inherits its weights; `None` is the base detector.
        evolves: which of the pair differs from the parent's.
        action: what changes the student; `None` where the teacher is mutated.
        teacher: subnet of the pool.
    """

    name: Name
    parent: Name | None
    evolves: Literal["student", "teacher"]
    action: Action | None
    teacher: Subnet

    @model_validator(mode="after")
    def _one_of_the_pair_changes(self) -> Proposal:
        if (self.evolves == "student") != (self.action is not None):
            raise ValueError("a proposal has an action where the student evolves, and only there")
        if self.parent and self.parent.generation >= self.name.generation:
            raise ValueError(f"{self.name.folder} cannot descend from {self.parent.folder}")
        return self


class Base(Part):
    """What H measures a student against.

    Attributes:
        cost: of the base detector at the input size of its architecture: MACs, or milliseconds.
        resolution: longest and shortest side at which the base is used, pixels.
    """

    cost: PositiveFloat
    resolution: Resolution


class Score(Part):
    """H of a student at one resolution, and what it is made of; `ap` is COCO's AP, in [0, 1]."""

    resolution: Resolution
    ap: float = Field(ge=0, le=1)
    score: float


def not_counted(milliseconds: float | None) -> bool:
    """Whether the search counts MACs: its records are then as they always were."""
    return milliseconds is None


class Evaluation(Part):
    """A student–teacher pair after its training.

    Attributes:
        proposal: how it came about.
        architecture: of the student.
        macs: of the student, at the input size of its architecture, which is the base's.
        milliseconds: that an image of that size is predicted to take, where the search counts them.
        scores: at every resolution.
        epochs: that it was trained in the search, in the candidates it descends from included.
    """

    proposal: Proposal
    architecture: Architecture
    macs: PositiveInt
    milliseconds: PositiveFloat | None = Field(default=None, exclude_if=not_counted)
    scores: tuple[Score, ...] = Field(min_length=1)
    epochs: PositiveInt

    @property
    def best(self) -> Score:
        """The highest score over the resolutions; among equals the first."""
        return max(self.scores, key=lambda score: score.score)


class Ranking(Part):
    """The search after some generations.

    Attributes:
        top: the top-k list, the best first.
        history: the best score up to each generation that was evaluated.
        converged: whether further generations propose nothing.
    """

    top: tuple[Evaluation, ...] = ()
    history: tuple[float, ...] = ()
    converged: bool = False

    def find(self, name: Name) -> Evaluation:
        """The member of the list of that name.

        Raises:
            DetSearchError: it is no member.
        """
        for evaluation in self.top:
            if evaluation.proposal.name == name:
                return evaluation
        raise DetSearchError(f"{name.folder} is not in the list of the {len(self.top)} best")


PROPOSALS, EVALUATION, RANKING = "proposals.json", "evaluation.json", "ranking.json"

_Wave = TypeAdapter(tuple[Proposal, ...])


def record_bytes(record: Part) -> bytes:
    """The content of a record's file."""
    return json_bytes(record.model_dump(mode="json"))


def proposals_bytes(proposals: tuple[Proposal, ...]) -> bytes:
    """The content of `proposals.json`: a list, empty once the search has converged."""
    return json_bytes(_Wave.dump_python(proposals, mode="json"))


def load_proposals(folder: Path) -> tuple[Proposal, ...]:
    """What a generation proposes.

    Raises:
        ArtifactError: the file is missing, or not what is read here.
    """
    return read_as(folder / PROPOSALS, tuple[Proposal, ...])


def load_evaluation(folder: Path) -> Evaluation | None:
    """A candidate's evaluation; `None` where there was nothing to do, the search having converged.

    Raises:
        ArtifactError: the file is not what is read here.
    """
    path = folder / EVALUATION
    return read_as(path, Evaluation) if path.exists() else None


def load_ranking(folder: Path) -> Ranking:
    """The search after a generation.

    Raises:
        ArtifactError: the file is missing, or not what is read here.
    """
    return read_as(folder / RANKING, Ranking)
