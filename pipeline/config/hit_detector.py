"""Sections `screening` and `search`: the two procedures of Hit-Detector."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.detector import DetectorConfig, Normalization
from pipeline.config.optimization import Optimizer, Training
from pipeline.config.supernet import SupernetConfig
from pipeline.search_space.names import CANDIDATES, OperationName

Regularizer = Literal["min_column", "group_lasso"]


class Alternation(Training):
    """First-order alternation of weight and architecture updates (Hit-Detector, section 3.4)."""

    optimizer: Optimizer = Optimizer(lr=0.04)
    architecture_from_epoch: int = Field(
        default=6, ge=1, description="epoch (from 1) from which α, β and γ are optimised"
    )
    architecture_lr: float = Field(
        default=4e-4, gt=0, description="Adam's learning rate for α, β and γ"
    )
    paths: PositiveInt | None = Field(
        default=None, description="candidates a step runs in each layer; null runs all"
    )

    @model_validator(mode="after")
    def _starts_in_time(self) -> Alternation:
        if self.architecture_from_epoch > self.epochs:
            raise ValueError(
                f"architecture_from_epoch is {self.architecture_from_epoch}, "
                f"but there are only {self.epochs} epochs"
            )
        return self


class Kept(Section):
    """Operations left in each sub search space: N_b, N_n and N_h."""

    backbone: PositiveInt = 8
    neck: PositiveInt = 8
    head: PositiveInt = 8


class Defaults(Section):
    """The operation that a component holds while others are screened before it; none where joint."""

    neck: OperationName = "conv_k3_d1"
    head: OperationName = "conv_k3_d1"


Space = Annotated[tuple[OperationName, ...], Field(min_length=2)]


class Spaces(Section):
    """A sub search space for each component, stated in place of a screened one."""

    backbone: Space
    neck: Space
    head: Space

    @model_validator(mode="after")
    def _differ(self) -> Spaces:
        for component, names in self.model_dump().items():
            if len(set(names)) < len(names):
                raise ValueError(f"{component}: operations must differ")
        return self


class ScreeningConfig(Alternation):
    """Screening sub search spaces (Hit-Detector, section 3.2)."""

    candidates: tuple[OperationName, ...] = Field(
        default=CANDIDATES,
        min_length=2,
        description="the whole search space; the paper's 32 by default",
    )
    joint: bool = Field(
        default=False,
        description="screen backbone, neck and head at once, not one after the other",
    )
    held_paths: PositiveInt | None = Field(
        default=None,
        description="candidates a step runs in each layer of a component screened before; null "
        "runs all; of no effect where joint",
    )
    keep: Kept = Kept()
    spaces: Spaces | None = Field(
        default=None,
        description="sub search spaces, stated in place of a screening, which is then left out; "
        "keep follows from them",
    )
    defaults: Defaults = Defaults()
    regularizer: Regularizer = Field(
        default="min_column",
        description="Eq. 4 as printed (smallest column norm of α), or the sum of all column norms",
    )
    mu: float = Field(default=0.1, ge=0, description="weight μ of the regulariser in Eq. 4")

    @model_validator(mode="before")
    @classmethod
    def _stated(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("spaces"), dict):
            lengths = {
                c: len(s) for c, s in values["spaces"].items() if isinstance(s, list | tuple)
            }
            return {**values, "keep": lengths}
        return values

    @model_validator(mode="after")
    def _spaces_fit(self) -> ScreeningConfig:
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError("candidates must differ")
        for component, kept in self.keep.model_dump().items():
            if self.spaces is None and kept > len(self.candidates):
                raise ValueError(
                    f"keep.{component} is {kept}, but there are only "
                    f"{len(self.candidates)} candidates"
                )
        return self


class Evolution(Section):
    """Aging evolution over the paths of a supernet (Real et al. 2019), with crossover."""

    population: int = Field(
        default=40, ge=2, description="paths that parents are drawn from: the last ones scored"
    )
    tournament: PositiveInt = Field(
        default=10, description="paths of the population of which the best becomes a parent"
    )
    crossover: float = Field(
        default=0.5, ge=0, le=1, description="probability that a path has two parents"
    )
    mutation: float = Field(
        default=0.1, gt=0, le=1, description="probability that a layer's operation is drawn anew"
    )

    @model_validator(mode="after")
    def _tournament_fits(self) -> Evolution:
        if self.tournament > self.population:
            raise ValueError(
                f"tournament is {self.tournament}, but the population has {self.population} paths"
            )
        return self


class PathSearchConfig(Section):
    """How the searched architecture is chosen: by α, β and γ, or by scores of paths without training."""

    strategy: Literal["differentiable", "evolution", "random"] = Field(
        default="differentiable",
        description="the paper's, or a search over single paths of a supernet whose weights were trained "
        "with uniformly drawn candidates: evolution, or the best of random ones",
    )
    max_gmacs: float | None = Field(
        default=None,
        gt=0,
        description="the most GMACs that the searched detector may have, at supernet.input_size and "
        ".proposals; null: any",
    )
    scored_paths: PositiveInt = Field(
        default=400, description="evolution, random: how many paths are scored"
    )
    one_shot: Literal["loss", "ap"] = Field(
        default="loss", description="what a path is scored by: the detector's loss, or AP"
    )
    one_shot_images: PositiveInt | None = Field(
        default=100, description="validation images that paths are scored on; null: all"
    )
    recalibration_batches: int = Field(
        default=8,
        ge=0,
        description="training batches that give a path its batch statistics; 0 leaves the supernet's",
    )
    evolution: Evolution = Evolution()

    @model_validator(mode="after")
    def _evolves(self) -> PathSearchConfig:
        if self.strategy == "evolution" and self.scored_paths <= self.evolution.population:
            raise ValueError(
                f"scored_paths is {self.scored_paths}, but evolution begins after as many random paths "
                f"as evolution.population, {self.evolution.population}"
            )
        return self


class SupernetTraining(Training):
    """Training of the weights of a search supernet alone, with uniformly drawn candidates."""

    paths: PositiveInt | None = Field(
        default=None, description="candidates a step runs in each layer; null runs all"
    )


class DifferentiableSearch(Alternation):
    """The alternation of the paper's search, and what a network's cost weighs in it."""

    cost: Literal["macs", "latency"] = Field(
        default="macs",
        exclude_if="macs".__eq__,
        description="what Eq. 7 counts of an operation: multiply-accumulates, or milliseconds at its own "
        "shape on the device of `evaluation.latency`; strategy differentiable only",
    )
    cost_weight: float = Field(
        default=0.01,
        ge=0,
        description="λ of Eq. 6, per GMAC (cost latency: per millisecond) at supernet.input_size and "
        ".proposals",
    )


class Finalists(Section):
    """Networks that the search's probabilities make likely, each trained for a short time: the best wins."""

    networks: PositiveInt = Field(
        default=1,
        description="the most probable network, and others drawn by the probabilities that cost no more; 1 "
        "takes the most probable without a training, as the paper does",
    )
    pretraining_epochs: PositiveInt | None = Field(
        default=1,
        description="length of each one's pretraining, otherwise as `pretraining`; null: as long",
    )
    epochs: PositiveInt = Field(
        default=2, description="length of each one's training, otherwise as `training`"
    )
    schedule: Literal["own", "beginning"] = Field(
        default="own",
        description="own: the learning rate falls within `epochs`; beginning: each training is the beginning "
        "of one as long as `training`, as the searched detector's will be",
    )
    chosen_by: Literal["ap", "dense_loss"] = Field(
        default="ap",
        description="ap: the highest AP on val; dense_loss: the lowest classification loss over all anchors "
        "(the RPN's, or a one-stage head's) in the second half of the training, which tells more early on",
    )


class SearchConfig(DifferentiableSearch, PathSearchConfig):
    """End-to-end search of backbone, neck and head (Hit-Detector, sections 3.3 and 3.4)."""

    finalists: Finalists = Finalists()

    @model_validator(mode="after")
    def _cost_is_weighed(self) -> SearchConfig:
        if self.cost == "latency" and self.strategy != "differentiable":
            raise ValueError(
                f"cost is latency, but strategy is {self.strategy}, which weighs no cost: a budget, "
                "max_gmacs, is in MACs; take cost macs, or strategy differentiable"
            )
        return self


class SupernetSections(Section):
    """What every stage uses that trains a detector supernet."""

    supernet: SupernetConfig
    normalization: Normalization
    detector: DetectorConfig
