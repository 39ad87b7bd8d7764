"""Section `hill_climb`: the hill-climbing search of Joint-DetNAS (section 3.1.4, Algorithm 1)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.distillation import StudentTrainingConfig
from pipeline.config.optimization import Optimizer

Percentage = PositiveFloat
"""Percent of the backbone's channels that one pruning removes, at most 50."""


class Proposing(Section):
    """How a generation's candidates are proposed."""

    candidates: PositiveInt = Field(
        default=8, description="K: candidates a generation, trained independently"
    )
    evolve_student: float = Field(
        default=0.5, ge=0, le=1, description="probability that the student evolves, not the teacher"
    )
    pruning_generations: int = Field(
        default=0, ge=0, description="first generations, whose candidates all prune the student"
    )
    percentages: tuple[Percentage, ...] = Field(
        default=(10.0,), min_length=1, description="percent of channels that a pruning removes"
    )

    @model_validator(mode="after")
    def _percentages_leave_enough(self) -> Proposing:
        if max(self.percentages) > 50:
            raise ValueError(f"percentages must be at most 50, not {max(self.percentages):g}")
        return self


class Variant(Section):
    """In what a search differs from the hill climbing that it is compared with; no part of the config."""

    teachers: Literal["mutate", "draw", "keep"] = Field(
        default="mutate",
        description="where the teacher evolves: from the parent's, drawn anew, or the parent's itself",
    )
    ranked: bool = Field(
        default=True,
        description="parents come from the best so far; if not, from the generation before, whatever "
        "its candidates are worth, and the search never converges by itself",
    )


UNRANKED = Variant(teachers="draw", ranked=False)
"""What the controls `joint_random` and `joint_unranked` are: neither candidates nor teachers are chosen."""


class Scoring(Section):
    """What the score H weighs."""

    cost: Literal["macs", "latency"] = Field(
        default="macs",
        description="C of H: multiply-accumulates, or milliseconds on the device of `evaluation.latency`, "
        "predicted from subnets of the pool that were measured there",
    )
    alpha: float = Field(default=0.1, ge=0, description="α of H: accuracy against computation")
    beta: float = Field(default=1.0, ge=0, description="β of H: resolution against architecture")
    target: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="share of the base's computation that is aimed at: H rewards no less than that; "
        "null: the less, the better, as printed",
    )


class Listing(Section):
    """The list that parents come from, and when the search ends."""

    top_k: PositiveInt = Field(default=5, description="length of the list that parents come from")
    patience: PositiveInt = Field(
        default=5, description="generations without a better score after which the search ends"
    )


class HillClimbConfig(Proposing, Scoring, Listing):
    """The search's budget, its score H, how candidates are proposed, and how they are trained.

    The paper states none of the numbers here but the three epochs of a candidate: the defaults are ours.
    Its parts are models of their own, since each stage depends on its part only.
    """

    generations: PositiveInt = Field(
        default=20, description="budget: waves of candidates; converged ones cost nothing"
    )
    training: StudentTrainingConfig = StudentTrainingConfig(
        batch_size=16, optimizer=Optimizer(lr=0.02)
    )
    gpus: PositiveInt | None = Field(
        default=None,
        description="GPUs of a candidate's job, with the batch and rates of run.gpus; null: run.gpus",
    )
    cpus: PositiveInt | None = Field(
        default=None, description="cores of a candidate's job; null: its GPUs' share of run.cpus"
    )
    controls: bool = Field(
        default=False,
        description="train every parent on without a change, too: what its children are compared with in "
        "Figure 6; as many candidates more as a generation has different parents",
    )
    keep_weights: bool = Field(
        default=False, description="also of candidates from which no later one can descend"
    )

    @model_validator(mode="after")
    def _choices_make_sense(self) -> HillClimbConfig:
        if self.pruning_generations > self.generations:
            raise ValueError(
                f"pruning_generations is {self.pruning_generations}, but there are only "
                f"{self.generations} generations"
            )
        return self
