"""Which channels of a detector's tensors are the same channel, read off its architecture.

A channel is written by some tensors (dimension 0 of a convolution, its bias, its norm) and read by
others (dimension 1 of a convolution or linear layer). All that touch one channel are a group: cut or
permuted together, they leave the network sound. Addition couples: all blocks of a residual stage that
add to one another write the same group, and so do all laterals of a feature pyramid. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.search_space.architecture import (
    Architecture,
    ConvFcHead,
    FpnNeck,
    MobileNetV2Backbone,
    ResNetBackbone,
)
from pipeline.search_space.backbones import InvertedBlock, ResidualBlock
from pipeline.search_space.block import STAGES

NORM = ("weight", "bias", "running_mean", "running_var")
READ = 1
"""Dimension of a weight that runs over the channels it reads."""


@dataclass(frozen=True)
class Use:
    """Where a group's channels lie in a tensor: `span` entries of dimension `dim` for each, in order."""

    tensor: str
    dim: int
    span: int = 1


@dataclass
class ChannelGroup:
    """Channels that are cut or permuted together.

    Attributes:
        channels: how many. Whole groups of a grouped convolution count as one channel.
        span: widths of one of them in the tensors that write it.
        uses: all tensors that touch them.
    """

    channels: int
    span: int = 1
    uses: list[Use] = field(default_factory=list)

    def written_by(self, convolution: str, norm: str | None = None) -> None:
        """Note a convolution without bias and its norm, or (without norm) one with a bias."""
        names = [f"{convolution}.weight"]
        names += [f"{norm}.{part}" for part in NORM] if norm else [f"{convolution}.bias"]
        self.uses += [Use(name, 0, self.span) for name in names]

    def read_by(self, layer: str, positions: int = 1) -> None:
        """Note a layer that reads the channels; a linear one has `positions` entries for each."""
        self.uses.append(Use(f"{layer}.weight", READ, self.span * positions))


Groups = dict[str, ChannelGroup]


def coupled_channels(architecture: Architecture) -> Groups:
    """The channel groups of a Faster R-CNN with FPN on a ResNet, ResNeXt or MobileNetV2 of any shape.

    Returns:
        By name, in the order in which data flows: `stem`; `stage2.block1`, the output of that block
        and of all that add to it; `stage2.block1.inner1`, between its first and second convolution;
        `last`, of a MobileNetV2's last convolution; `neck.lateral` and `neck.output`. A smaller
        network has groups of the same names. The tensors are those of the mmdet detector. Not among
        them: the inner channels of RPN and RoI head.

    Raises:
        ValueError: the architecture is made of something else.
    """
    backbone, neck, head = architecture.backbone, architecture.neck, architecture.head
    if not (
        isinstance(backbone, ResNetBackbone | MobileNetV2Backbone)
        and isinstance(neck, FpnNeck)
        and isinstance(head, ConvFcHead)
    ):
        raise ValueError(
            "coupled channels are known for a resnet or mobilenetv2 backbone, an fpn neck and a conv_fc "
            f"head, not for {backbone.type}, {neck.type}, {head.type}"
        )
    if len(head.cascade) > 1 or _is_deformable(backbone):
        raise ValueError(
            "coupled channels are known for one RoI head and plain convolutions, not for a cascade or "
            "deformable ones: an upgraded detector is not pruned or grown any more"
        )
    groups: Groups = {}
    if isinstance(backbone, ResNetBackbone):
        outputs = _resnet(backbone, groups)
    else:
        outputs = _mobilenetv2(backbone, groups)
    pyramid = _neck(neck, outputs, groups)
    pyramid.read_by("rpn_head.rpn_conv")
    if head.convs:
        pyramid.read_by("roi_head.bbox_head.shared_convs.0.conv")
    else:
        pyramid.read_by("roi_head.bbox_head.shared_fcs.0", head.roi_size**2)
    return groups


def _is_deformable(backbone: ResNetBackbone | MobileNetV2Backbone) -> bool:
    return isinstance(backbone, ResNetBackbone) and any(
        block.deformable for stage in backbone.stages for block in stage
    )


def _resnet(backbone: ResNetBackbone, groups: Groups) -> list[ChannelGroup]:
    """Add the backbone's groups; the group of each stage's output."""
    current = groups["stem"] = ChannelGroup(backbone.stem_channels)
    current.written_by("backbone.conv1", "backbone.bn1")
    outputs = []
    for stage, blocks in enumerate(backbone.stages, 1):
        for number, block in enumerate(blocks, 1):
            name, layer = f"stage{stage}.block{number}", f"backbone.layer{stage}.{number - 1}"
            source = current
            # without a projection the block's input is added to its output as it is
            if block.stride > 1 or block.channels != source.channels:
                current = groups[name] = ChannelGroup(block.channels)
                source.read_by(f"{layer}.downsample.0")
                current.written_by(f"{layer}.downsample.0", f"{layer}.downsample.1")
            source.read_by(f"{layer}.conv1")
            last = _inside(block, name, layer, groups)
            current.written_by(f"{layer}.conv{last}", f"{layer}.bn{last}")
        outputs.append(current)
    return outputs


def _inside(block: ResidualBlock, name: str, layer: str, groups: Groups) -> int:
    """Add the groups between a block's convolutions; the number of the last convolution."""
    last = 2 if block.operation == "basic" else 3
    if block.groups > 1:
        # a grouped convolution ties its outputs to its inputs, group by group
        inner = ChannelGroup(block.groups, span=block.mid_channels // block.groups)
        groups[f"{name}.inner1"] = inner
        inner.written_by(f"{layer}.conv1", f"{layer}.bn1")
        inner.written_by(f"{layer}.conv2", f"{layer}.bn2")
        inner.read_by(f"{layer}.conv3")
        return last
    for number in range(1, last):
        inner = groups[f"{name}.inner{number}"] = ChannelGroup(block.mid_channels)
        inner.written_by(f"{layer}.conv{number}", f"{layer}.bn{number}")
        inner.read_by(f"{layer}.conv{number + 1}")
    return last


def _mobilenetv2(backbone: MobileNetV2Backbone, groups: Groups) -> list[ChannelGroup]:
    """Add the backbone's groups; the groups of its feature maps."""
    current = groups["stem"] = ChannelGroup(backbone.stem_channels)
    _module_writes(current, "backbone.conv1")
    outputs = []
    for stage, blocks in enumerate(backbone.stages, 1):
        for number, block in enumerate(blocks, 1):
            name, layer = f"stage{stage}.block{number}", f"backbone.layer{stage}.{number - 1}"
            source = current
            if block.stride > 1 or block.channels != source.channels:
                current = groups[name] = ChannelGroup(block.channels)
            inner = _expanded(block, name, layer, source, groups)
            # a depthwise convolution ties each output to its input
            _module_writes(inner, f"{layer}.depthwise_conv")
            inner.read_by(f"{layer}.linear_conv.conv")
            _module_writes(current, f"{layer}.linear_conv")
        if stage - 1 in backbone.out_stages:
            outputs.append(current)
    current.read_by("backbone.conv2.conv")
    last = groups["last"] = ChannelGroup(backbone.last_channels)
    _module_writes(last, "backbone.conv2")
    return outputs


def _expanded(
    block: InvertedBlock, name: str, layer: str, source: ChannelGroup, groups: Groups
) -> ChannelGroup:
    """The group of a block's depthwise convolution: its own behind an expansion, else its input's."""
    if block.operation == "depthwise":
        return source
    source.read_by(f"{layer}.expand_conv.conv")
    inner = groups[f"{name}.inner1"] = ChannelGroup(block.mid_channels)
    _module_writes(inner, f"{layer}.expand_conv")
    return inner


def _module_writes(group: ChannelGroup, module: str) -> None:
    """Note an mmcv `ConvModule` that writes a group."""
    group.written_by(f"{module}.conv", f"{module}.bn")


def _neck(neck: FpnNeck, outputs: list[ChannelGroup], groups: Groups) -> ChannelGroup:
    """Add the pyramid's groups; that of its outputs, which the heads share over all levels."""
    lateral = groups["neck.lateral"] = ChannelGroup(neck.channels)
    output = groups["neck.output"] = ChannelGroup(neck.channels)
    stages = STAGES - neck.first_stage + 1
    for level, source in enumerate(outputs[neck.first_stage - 1 :]):
        source.read_by(f"neck.lateral_convs.{level}.conv")
        lateral.written_by(f"neck.lateral_convs.{level}.conv")
        lateral.read_by(f"neck.fpn_convs.{level}.conv")
        output.written_by(f"neck.fpn_convs.{level}.conv")
    if neck.extra == "convolution":
        for level in range(stages, neck.levels):
            (outputs[-1] if level == stages else output).read_by(f"neck.fpn_convs.{level}.conv")
            output.written_by(f"neck.fpn_convs.{level}.conv")
    return output
