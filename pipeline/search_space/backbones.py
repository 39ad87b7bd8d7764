"""Backbones of the architecture format: searched blocks, ResNet and ResNeXt, MobileNetV2, and others'.

Each has `out_channels`: those of its four feature maps, strides 4, 8, 16, 32; VGG's has two.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from pipeline.search_space.block import STAGES, Block, Part


class Stem(Part):
    """The first convolution: 3×3, stride 2, with BN and ReLU (the released network has a bias)."""

    channels: PositiveInt = 16
    bias: bool = False


class BlockBackbone(Part):
    """Stem and four stages of searched blocks (Hit-Detector, section 3.3).

    One block of each stage has stride 2: the first, or a later one (FBNet begins with a block of
    stride 1 behind the stem).
    """

    type: Literal["blocks"] = "blocks"
    stem: Stem = Stem()
    stages: tuple[tuple[Block, ...], ...] = Field(min_length=STAGES, max_length=STAGES)

    @model_validator(mode="after")
    def _each_stage_halves(self) -> BlockBackbone:
        for number, stage in enumerate(self.stages, 1):
            if not stage:
                raise ValueError(f"stage {number} has no block")
            if sum(block.stride == 2 for block in stage) != 1:
                raise ValueError(f"stage {number}: one block must have stride 2, the others 1")
        return self

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the four feature maps, strides 4, 8, 16, 32."""
        return tuple(stage[-1].channels for stage in self.stages)


class ResidualBlock(Part):
    """A ResNet layer: convolutions around which the input is added to the output.

    `basic`: 3×3 to `mid_channels`, 3×3 to `channels`. `bottleneck`: 1×1 to `mid_channels`, 3×3 in
    `groups`, 1×1 to `channels`. BN after each convolution; the first 3×3 has the stride. The input
    passes a 1×1 convolution where the shapes differ. `deformable`: the second convolution, a 3×3 in
    both, samples its input at learnt places (Dai et al. 2017).
    """

    operation: Literal["basic", "bottleneck"]
    channels: PositiveInt
    mid_channels: PositiveInt
    groups: PositiveInt = 1
    stride: Literal[1, 2] = 1
    # left out of files where it is not so: those of plain networks stay as they were
    deformable: bool = Field(default=False, exclude_if=operator.not_)

    @model_validator(mode="after")
    def _whole_groups(self) -> ResidualBlock:
        if self.operation == "basic" and self.groups > 1:
            raise ValueError("a basic block has no groups: only a bottleneck's 3×3 convolution has")
        if self.mid_channels % self.groups:
            raise ValueError(
                f"mid_channels {self.mid_channels} is not a multiple of {self.groups} groups"
            )
        return self


class ResNetBackbone(Part):
    """ResNet or ResNeXt: 7×7 stem of stride 2, 3×3 max pooling of stride 2, four stages."""

    type: Literal["resnet"] = "resnet"
    stem_channels: PositiveInt = 64
    stages: tuple[tuple[ResidualBlock, ...], ...] = Field(min_length=STAGES, max_length=STAGES)

    @model_validator(mode="after")
    def _stages_halve(self) -> ResNetBackbone:
        _check_strides(self.stages, (1, 2, 2, 2))
        return self

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the four feature maps, strides 4, 8, 16, 32."""
        return tuple(stage[-1].channels for stage in self.stages)


class InvertedBlock(Part):
    """A MobileNetV2 layer: 1×1 to `mid_channels`, 3×3 depthwise with the stride, 1×1 to `channels`.

    `depthwise` leaves out the first: its `mid_channels` are its input's. BN after each convolution,
    ReLU6 after all but the last; the input is added where shapes match.
    """

    operation: Literal["inverted", "depthwise"] = "inverted"
    channels: PositiveInt
    mid_channels: PositiveInt
    stride: Literal[1, 2] = 1


class MobileNetV2Backbone(Part):
    """MobileNetV2: 3×3 stem of stride 2, stages of inverted residuals, a last 1×1 convolution.

    The feature map of a stride is that of the last stage with it. The last convolution is made for
    classification; the pyramid does not read it (Hit-Detector, Table 2: so say its parameters).
    """

    type: Literal["mobilenetv2"] = "mobilenetv2"
    stem_channels: PositiveInt = 32
    stages: tuple[tuple[InvertedBlock, ...], ...]
    last_channels: PositiveInt = 1280

    @model_validator(mode="after")
    def _chain(self) -> MobileNetV2Backbone:
        _check_strides(self.stages, tuple(stage[0].stride if stage else 1 for stage in self.stages))
        halvings = sum(stage[0].stride == 2 for stage in self.stages)
        if halvings != STAGES:
            raise ValueError(f"{STAGES} of the stages must have stride 2, not {halvings}")
        channels = self.stem_channels
        for number, stage in enumerate(self.stages, 1):
            for block in stage:
                if block.operation == "depthwise" and block.mid_channels != channels:
                    raise ValueError(
                        f"stage {number}: mid_channels of a depthwise block must be those of its "
                        f"input, {channels}, not {block.mid_channels}"
                    )
                channels = block.channels
        return self

    @property
    def out_stages(self) -> tuple[int, ...]:
        """Positions (from 0) of the stages that give the maps of strides 4, 8, 16, 32."""
        halving = [number for number, stage in enumerate(self.stages) if stage[0].stride == 2]
        return tuple(number - 1 for number in (*halving[1:], len(self.stages)))

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the four feature maps, strides 4, 8, 16, 32."""
        return tuple(self.stages[number][-1].channels for number in self.out_stages)


class ShuffleBlock(Part):
    """A ShuffleNetV2 layer, or DetNAS's variant of one (Chen et al. 2019, section 3.2).

    Stride 1: every second channel goes by, the others through the layer, and both are put together.
    Stride 2: all channels go through the layer, which adds the new ones, and through a k×k depthwise
    and a 1×1 convolution of the stride.

    `shuffle`: 1×1 to `mid_channels`, k×k depthwise with the stride, 1×1. `xception`: three times k×k
    depthwise, the first with the stride, and 1×1. BN after each convolution, ReLU after each 1×1.
    """

    operation: Literal["shuffle", "xception"] = "shuffle"
    kernel: Literal[3, 5, 7] = 3
    channels: PositiveInt
    mid_channels: PositiveInt
    stride: Literal[1, 2] = 1


class ShuffleBackbone(Part):
    """DetNAS's backbone: 3×3 stem of stride 2 and four stages of ShuffleNetV2 layers.

    `last_channels`: of a 1×1 convolution behind the last stage, whose output is the coarsest map.
    """

    type: Literal["shuffle"] = "shuffle"
    stem: Stem = Stem(channels=48, bias=True)
    stages: tuple[tuple[ShuffleBlock, ...], ...] = Field(min_length=STAGES, max_length=STAGES)
    last_channels: PositiveInt | None = None

    @model_validator(mode="after")
    def _halves_match(self) -> ShuffleBackbone:
        _check_strides(self.stages, (2,) * STAGES)
        channels = self.stem.channels
        for number, stage in enumerate(self.stages, 1):
            if stage[0].channels <= channels:
                raise ValueError(
                    f"stage {number}: its first block must have more than the {channels} channels "
                    "of its input, which it keeps"
                )
            channels = stage[0].channels
            if len(stage) > 1 and (channels % 2 or any(b.channels != channels for b in stage)):
                raise ValueError(f"stage {number}: its blocks must have the same, even channels")
        return self

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the four feature maps, strides 4, 8, 16, 32."""
        *widths, coarsest = (stage[-1].channels for stage in self.stages)
        return (*widths, self.last_channels or coarsest)


class VggBackbone(Part):
    """VGG as SSD reads it (Liu et al. 2016): two feature maps, of strides 8 and 16.

    Attributes:
        convs: channels of the 3×3 convolutions of the five stages, without norm; 2×2 max pooling
            between stages. The first map is the output of the fourth.
        fc_channels: of a 3×3 convolution of dilation 6 and a 1×1 behind the last stage, in the place
            of VGG's fully connected layers; they give the second map.
    """

    type: Literal["vgg"] = "vgg"
    convs: tuple[tuple[PositiveInt, ...], ...] = Field(min_length=5, max_length=5)
    fc_channels: PositiveInt = 1024

    @model_validator(mode="after")
    def _no_empty_stage(self) -> VggBackbone:
        for number, stage in enumerate(self.convs, 1):
            if not stage:
                raise ValueError(f"stage {number} has no convolution")
        return self

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the two feature maps, strides 8 and 16."""
        return (self.convs[3][-1], self.fc_channels)


Backbone = Annotated[
    BlockBackbone | ResNetBackbone | MobileNetV2Backbone | ShuffleBackbone | VggBackbone,
    Field(discriminator="type"),
]


def _check_strides(
    stages: Sequence[Sequence[ResidualBlock | InvertedBlock | ShuffleBlock]], first: Sequence[int]
) -> None:
    """Raise `ValueError` unless each stage has blocks, and the stride of `first` in its first only."""
    for number, (stage, stride) in enumerate(zip(stages, first, strict=True), 1):
        if not stage:
            raise ValueError(f"stage {number} has no block")
        if [block.stride for block in stage] != [stride] + [1] * (len(stage) - 1):
            raise ValueError(
                f"stage {number}: the first block must have stride {stride}, the others 1"
            )
