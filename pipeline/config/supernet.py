"""Section `supernet`: the outer shape of the searched networks, which the search does not change."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.optimization import COARSEST_STRIDE

Depths = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]


CostSetting = Annotated[
    int,
    Field(
        gt=0,
        description="RoIs an image at which the cost of the head is counted; "
        "a one-stage detector has none",
    ),
]


class SupernetConfig(Section):
    """Shape of backbone, neck, RPN and head (Hit-Detector, sections 3.3 and 4.2).

    `retinanet` has neither proposals nor RoIs: it uses none of `proposals`, `rpn_channels`,
    `head_fc_channels` and `roi_size`.
    """

    family: Literal["faster_rcnn", "retinanet"] = Field(
        default="faster_rcnn",
        description="the detector that is searched: two-stage, or one-stage (Table 6)",
    )
    input_size: tuple[PositiveInt, PositiveInt] = Field(
        default=(800, 1216), description="(height, width) in pixels at which costs are counted"
    )
    proposals: CostSetting = 1000
    stem_channels: PositiveInt = 16
    channels: Depths = Field(default=(48, 96, 256, 352), description="channels of the four stages")
    screening_depth: Depths = Field(
        default=(2, 2, 4, 2), description="blocks a stage while screening"
    )
    depth: Depths = Field(default=(4, 4, 8, 4), description="blocks a stage in the search")
    neck_channels: PositiveInt = 256
    rpn_channels: PositiveInt = 256
    anchor_scale: PositiveInt = Field(
        default=8,
        description="anchor side in units of the level's stride; of retinanet the smallest of three "
        "(Lin et al.: 4)",
    )
    head_blocks: PositiveInt = Field(
        default=4, description="searched blocks of the RoI head, or of each of retinanet's towers"
    )
    head_fc_channels: PositiveInt = 512
    roi_size: PositiveInt = Field(default=7, description="side of the RoI features")
    execution: Literal["store", "recompute"] = Field(
        default="recompute",
        description="choice layers: keep all activations, or compute them again when due",
    )

    @model_validator(mode="after")
    def _divisible(self) -> SupernetConfig:
        if any(side % COARSEST_STRIDE for side in self.input_size):
            raise ValueError(
                f"both sides of input_size must be multiples of {COARSEST_STRIDE}, the coarsest stride"
            )
        return self

    @property
    def one_stage(self) -> bool:
        """Whether the searched detector has no proposals."""
        return self.family == "retinanet"
