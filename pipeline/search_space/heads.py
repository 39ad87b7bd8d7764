"""Heads of the architecture format: on the RoIs of a proposal network, or on the pyramid (one-stage)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from pipeline.search_space.block import Block, Part

Ratios = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], Field(min_length=1)
]
"""Height : width of the anchors of a place."""


ONE_HEAD = (0.5,)
"""No cascade; it is left out of files."""


class Rpn(Part):
    """The region proposal network, which is not searched: one 3×3 convolution and two 1×1."""

    channels: PositiveInt = 256
    anchor_scale: PositiveInt = 8
    anchor_ratios: Ratios = (0.5, 1.0, 2.0)


class BlockHead(Part):
    """Searched blocks on RoI features, a fully connected layer, class scores and class-aware boxes."""

    type: Literal["blocks"] = "blocks"
    roi_size: PositiveInt = 7
    blocks: tuple[Block, ...] = Field(min_length=1)
    fc_channels: PositiveInt = 512

    @model_validator(mode="after")
    def _keep_size(self) -> BlockHead:
        if any(block.stride > 1 for block in self.blocks):
            raise ValueError("the blocks of the head need stride 1")
        return self


class ConvFcHead(Part):
    """3×3 convolutions and fully connected layers on RoI features, scores and class-aware boxes.

    `convs` and `fcs` list the channels of each: 2fc is `()` and `(1024, 1024)`, 4conv1fc
    `(256,) * 4` and `(1024,)`. The convolutions have a bias and no norm; ReLU after each layer.
    `cascade`: a head like this for each value, behind one another, the next on the boxes of the one
    before (Cascade R-CNN); the value is the IoU from which on a proposal counts as an object.
    """

    type: Literal["conv_fc"] = "conv_fc"
    roi_size: PositiveInt = 7
    convs: tuple[PositiveInt, ...] = ()
    fcs: tuple[PositiveInt, ...] = Field(min_length=1)
    cascade: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=ONE_HEAD, min_length=1, exclude_if=lambda ious: ious == ONE_HEAD
    )

    @model_validator(mode="after")
    def _cascade_rises(self) -> ConvFcHead:
        if list(self.cascade) != sorted(set(self.cascade)):
            raise ValueError(f"the IoUs of a cascade must rise, not {list(self.cascade)}")
        return self

    @model_validator(mode="after")
    def _one_width_each(self) -> ConvFcHead:
        for name, widths in (("convs", self.convs), ("fcs", self.fcs)):
            if len(set(widths)) > 1:
                raise ValueError(f"all {name} need the same channels, not {list(widths)}")
        return self


class RetinaHead(Part):
    """RetinaNet's head, shared by all levels: a tower of 3×3 convolutions each for classes and boxes.

    The towers list the channels of each convolution (with bias, without norm, ReLU after it); a
    last 3×3 convolution follows each. The anchors of a level have `scales_per_octave` sizes from
    `anchor_scale` times its stride, in each of `anchor_ratios`.
    """

    type: Literal["retina"] = "retina"
    class_tower: tuple[PositiveInt, ...] = Field(min_length=1)
    box_tower: tuple[PositiveInt, ...] = Field(min_length=1)
    anchor_scale: PositiveInt = 4
    scales_per_octave: PositiveInt = 3
    anchor_ratios: Ratios = (0.5, 1.0, 2.0)

    @model_validator(mode="after")
    def _equal_towers(self) -> RetinaHead:
        if self.class_tower != self.box_tower or len(set(self.class_tower)) > 1:
            raise ValueError("class_tower and box_tower need the same length, and one width")
        return self


class TowerHead(Part):
    """RetinaNet's head with searched towers, shared by all levels: blocks each for classes and boxes.

    A last 3×3 convolution follows each tower. The weights of a block are those of every level, but
    its batch normalisations belong to a level each: the statistics of the levels differ. Anchors are
    those of `RetinaHead`.
    """

    type: Literal["towers"] = "towers"
    class_tower: tuple[Block, ...] = Field(min_length=1)
    box_tower: tuple[Block, ...] = Field(min_length=1)
    anchor_scale: PositiveInt = 4
    scales_per_octave: PositiveInt = 3
    anchor_ratios: Ratios = (0.5, 1.0, 2.0)

    @model_validator(mode="after")
    def _keep_size(self) -> TowerHead:
        if any(block.stride > 1 for block in (*self.class_tower, *self.box_tower)):
            raise ValueError("the blocks of the towers need stride 1")
        return self


class _NormedTowers(Part):
    """Two towers of 3×3 convolutions, shared by all levels, with group normalisation and ReLU."""

    class_tower: tuple[PositiveInt, ...] = Field(min_length=1)
    box_tower: tuple[PositiveInt, ...] = Field(min_length=1)
    norm_groups: PositiveInt = 32

    @model_validator(mode="after")
    def _equal_towers(self) -> Self:
        if self.class_tower != self.box_tower or len(set(self.class_tower)) > 1:
            raise ValueError("class_tower and box_tower need the same length, and one width")
        if self.class_tower[0] % self.norm_groups:
            raise ValueError(
                f"{self.class_tower[0]} channels of the towers are not a multiple of norm_groups, "
                f"{self.norm_groups}"
            )
        return self


class FcosHead(_NormedTowers):
    """FCOS's head (Tian et al. 2019): in each place classes, distances to the sides, and centredness.

    With the improvements of its paper: only places near an object's middle count, distances in
    strides, centredness beside the box, GIoU loss.

    Attributes:
        range_scale: a level has the objects whose largest distance is at most this many strides, and
            more than those of the level before.
    """

    type: Literal["fcos"] = "fcos"
    range_scale: PositiveInt = 8


class RepPointsHead(_NormedTowers):
    """RepPoints' head (Yang et al. 2019): objects as nine points, first guessed, then refined.

    The box of the points is that of their moments. The points are where deformable convolutions
    sample.

    Attributes:
        point_channels: of the convolutions that guess, refine and classify.
        base_scale: sides of the boxes by which objects are given to places, in strides of the level.
    """

    type: Literal["reppoints"] = "reppoints"
    point_channels: PositiveInt = 256
    base_scale: PositiveInt = 4


class SsdHead(Part):
    """SSD's head (Liu et al. 2016): a 3×3 convolution for classes and one for boxes on each level.

    Attributes:
        anchor_sizes: sides of the square anchors as shares of the shorter side of `input_size`: one
            for each level, and one more. A level has its own, the geometric mean of it and the next,
            and its own in each of the ratios.
        anchor_ratios: of each level, to 1; each also the other way round.
    """

    type: Literal["ssd"] = "ssd"
    anchor_sizes: tuple[Annotated[float, Field(gt=0, le=2)], ...] = Field(min_length=2)
    anchor_ratios: tuple[tuple[Annotated[float, Field(gt=1, le=10)], ...], ...]

    @model_validator(mode="after")
    def _sizes_rise(self) -> SsdHead:
        if list(self.anchor_sizes) != sorted(set(self.anchor_sizes)):
            raise ValueError("anchor_sizes must rise")
        if len(self.anchor_sizes) != len(self.anchor_ratios) + 1:
            raise ValueError(
                "anchor_sizes needs one more than anchor_ratios, which has one a level"
            )
        return self


OneStageHead = RetinaHead | TowerHead | FcosHead | RepPointsHead | SsdHead
"""Heads on the pyramid, which need no proposals."""

Head = Annotated[
    BlockHead | ConvFcHead | RetinaHead | TowerHead | FcosHead | RepPointsHead | SsdHead,
    Field(discriminator="type"),
]
