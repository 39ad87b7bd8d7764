"""Sections `baselines` and `ablations`: what the searched detector is compared with."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from pipeline.config.base import Section
from pipeline.config.hit_detector import Regularizer
from pipeline.config.pretrained import Pretrained, nothing_given
from pipeline.config.zoo_names import ZOO_NAMES
from pipeline.search_space.architecture import COMPONENTS
from pipeline.search_space.names import OperationName

PRIVATE = "work"
"""The name of a stage's private folder, which checks of a run leave out."""


def _not_private(name: str) -> str:
    if name == PRIVATE:
        raise ValueError(f"{PRIVATE!r} cannot be a name: folders of that name are a stage's own")
    return name


Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_]+$", max_length=100),
    AfterValidator(_not_private),
]
"""Names a folder of the run."""


def _known(zoo: str) -> str:
    if zoo not in ZOO_NAMES:
        raise ValueError(f"the zoo has no network {zoo!r}: it has {', '.join(ZOO_NAMES)}")
    return zoo


ZooName = Annotated[str, AfterValidator(_known)]


def _component(name: str) -> str:
    if name not in COMPONENTS:
        raise ValueError(f"no component {name!r}: expected one of {', '.join(COMPONENTS)}")
    return name


class Baseline(Section):
    """A network of the zoo, at the run's input size, made narrower where the run is small."""

    zoo: ZooName = Field(description="name in pipeline/zoo/")
    width: float = Field(
        default=1.0,
        gt=0,
        description="factor of all channels of the backbone; they must stay whole",
    )
    head_width: float = Field(
        default=1.0, gt=0, description="factor of all channels of neck, RPN and head"
    )
    pretrained: Pretrained | None = Field(
        default=None,
        exclude_if=nothing_given,
        description="weights that the backbone starts from, in place of a pretraining in the run; null: none",
    )


Baselines = Annotated[
    dict[Name, Baseline | None],
    Field(description="networks to compare with, by name; null takes away one of the default's"),
]

# Figure 3 of the paper names conv_k3_d1, ir_k3_d1 (no expansion), conv_k5_d1 and conv_k5_d3; the
# others of its twelve are drawn in a picture only. These span kinds, kernels and dilations evenly.
FIGURE3_OPERATIONS = (
    "conv_k3_d1",
    "conv_k3_d2",
    "conv_k3_d3",
    "conv_k5_d1",
    "conv_k5_d2",
    "conv_k5_d3",
    "sep_k3_d1",
    "sep_k5_d1",
    "ir_k3_d1_e3",
    "ir_k3_d1_e6",
    "ir_k5_d1_e3",
    "ir_k5_d1_e6",
)


class ReplacementConfig(Section):
    """Figure 3: one operation in one layer of an otherwise uniform detector replaced by another."""

    base: OperationName = Field(
        default="conv_k3_d1", description="the operation of all other layers"
    )
    operations: tuple[OperationName, ...] = Field(default=FIGURE3_OPERATIONS, min_length=1)
    layers: PositiveInt = Field(
        default=6, description="random layers of each component (all, if it has fewer)"
    )
    epochs: PositiveInt = Field(
        default=12, description="of each training, which is otherwise as section `training` says"
    )


class SparsityConfig(Section):
    """Figure 4: screening under several weights of the regulariser."""

    component: Annotated[str, AfterValidator(_component)] = "backbone"
    mu: tuple[Annotated[float, Field(ge=0)], ...] = Field(default=(0.0, 0.01, 0.1), min_length=1)
    regularizers: tuple[Regularizer, ...] = Field(
        default=("min_column", "group_lasso"), min_length=1
    )


class Matching(Section):
    """What counts as a network of the searched one's cost, and how long one is looked for."""

    tolerance: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="greatest difference of its MACs, as a share of the searched network's",
    )
    draws: PositiveInt = Field(
        default=100_000, description="architectures that are looked at for each random network"
    )


class RandomConfig(Matching):
    """`hit_random`: the searched detector against random and plain ones of the same cost."""

    networks: int = Field(
        default=8, ge=2, description="random architectures from the sub search spaces"
    )
    plain: ZooName = Field(
        default="fpn_r18",
        description="network of the zoo that is scaled in width to the searched one's MACs",
    )
    seeds: int = Field(
        default=2,
        ge=2,
        description="trainings of each network, the searched one too: with run.seed, run.seed + 1 and "
        "so on; two tell how much a seed is worth",
    )

    @property
    def matching(self) -> Matching:
        """The part that says which networks cost as much."""
        return Matching(tolerance=self.tolerance, draws=self.draws)


class GroundTruthConfig(Section):
    """`hit_ground_truth`: architectures of the sub search spaces, each trained alone."""

    networks: PositiveInt = Field(default=60, description="architectures, drawn uniformly")
    again: NonNegativeInt = Field(
        default=16, description="how many of them are trained a second time, with another seed"
    )

    @model_validator(mode="after")
    def _fewer(self) -> GroundTruthConfig:
        if self.again > self.networks:
            raise ValueError("again: at most as many as there are networks")
        return self


class ExamplesConfig(Section):
    """`hit_figure6`, and the report with `report.random`: detections on the same images, side by side."""

    images: PositiveInt = Field(default=4, description="of the evaluated split, drawn by run.seed")
    score_threshold: float = Field(
        default=0.5, ge=0, le=1, description="detections shown from here on"
    )


class ApartConfig(Section):
    """`hit_apart`: the operation that each component holds while another one is searched."""

    backbone: OperationName = "conv_k3_d1"
    neck: OperationName = "conv_k3_d1"
    head: OperationName = "conv_k3_d1"


class Parts(Section):
    """Detectors whose components are put into one: names of `baselines`, or `hit_detector`, the searched one.

    What is null is the component of `ablations.baseline`.
    """

    backbone: Name | None = None
    neck: Name | None = None
    head: Name | None = Field(default=None, description="with its RPN")

    @model_validator(mode="after")
    def _some(self) -> Parts:
        if not any(getattr(self, component) for component in COMPONENTS):
            raise ValueError(f"name a detector for one of {', '.join(COMPONENTS)}")
        return self


class AblationsConfig(Section):
    """The tables and figures of Hit-Detector, section 4.4."""

    baseline: Name = Field(
        default="r18", description="the baseline whose parts Table 5 replaces by searched ones"
    )
    further_baselines: tuple[Name, ...] = Field(
        default=(), description="baselines that Table 5 shows beside it, as they are"
    )
    mixed: dict[Name, Parts] = Field(
        default={},
        description="detectors of other detectors' parts, by name, that Table 5 shows as well",
    )
    replacement: ReplacementConfig = ReplacementConfig()
    sparsity: SparsityConfig = SparsityConfig()
    random: RandomConfig = RandomConfig()
    ground_truth: GroundTruthConfig = GroundTruthConfig()
    apart: ApartConfig = ApartConfig()
    examples: ExamplesConfig = ExamplesConfig()

    @model_validator(mode="after")
    def _differ(self) -> AblationsConfig:
        for name, values in (
            ("further_baselines", (self.baseline, *self.further_baselines)),
            ("replacement.operations", self.replacement.operations),
            ("sparsity.mu", self.sparsity.mu),
            ("sparsity.regularizers", self.sparsity.regularizers),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} must differ")
        return self

    def sources(self, mixed: str) -> dict[str, str]:
        """The detector that each component of a mixed one is taken from."""
        parts = self.mixed[mixed]
        return {name: getattr(parts, name) or self.baseline for name in COMPONENTS}
