"""Section `front`: a Pareto front of the teacher pool's subnets, accuracy against cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.detector import DetectorSections
from pipeline.config.evaluation import Evaluating
from pipeline.config.supernet import CostSetting
from pipeline.config.teacher_pool import Recalibration

Stock = Annotated[
    str, Field(pattern=r"^(hit_detector|base|student|upgrade|baselines/[A-Za-z0-9_]+)$")
]
"""A detector of the run that stands beside the front."""


class Breeding(Section):
    """How a generation's subnets come about (NSGA-II, Deb et al. 2002)."""

    population: Annotated[
        int, Field(ge=2, description="subnets a generation, and those that breed the next one")
    ] = 24
    crossover: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="probability that a subnet has two parents, each knob from either",
    )
    mutation: float = Field(
        default=0.1, gt=0, le=1, description="probability of each knob to take another value"
    )


class Licences(Section):
    """What the model card says of licences; the program knows none of them."""

    data: str | None = Field(default=None, description="licence of the images and annotations")
    weights: str | None = Field(
        default=None, description="licence of weights that were started from"
    )


class FrontConfig(Breeding):
    """The search's budget, what the front is compared with, and what its model cards say."""

    generations: PositiveInt = Field(
        default=5, description="budget: waves of evaluations, the first of them drawn at random"
    )
    shards: PositiveInt = Field(
        default=2, description="jobs that share a generation's subnets out, side by side"
    )
    cpus: PositiveInt | None = Field(
        default=None, description="cores of a shard; null: a GPU's share of run.cpus"
    )
    val_images: PositiveInt | None = Field(
        default=None,
        description="images of val on which subnets are compared, spread evenly; null: all of them",
    )
    measured: Annotated[
        int, Field(ge=10, description="subnets whose latency is measured, for the predictor")
    ] = 40
    stock: tuple[Stock, ...] | None = Field(
        default=None,
        description="detectors beside the front: hit_detector, base, student, upgrade, baselines/<name>; "
        "what is missing of those named is trained; null: those that the run has trained already",
    )
    licences: Licences = Licences()

    @model_validator(mode="after")
    def _makes_sense(self) -> FrontConfig:
        if self.shards > self.population:
            raise ValueError(
                f"shards is {self.shards}, but a generation has {self.population} subnets only"
            )
        if self.stock and len(set(self.stock)) < len(self.stock):
            raise ValueError("stock must differ")
        return self


class FrontStage(DetectorSections):
    """What every stage uses that judges or times subnets of the pool; no part of the config."""

    recalibration: Recalibration
    proposals: CostSetting
    evaluating: Evaluating
