"""Layers of a backbone by stage and number, and architectures with other ones.

A layer is a residual block. Stages and numbers count from 1, as in an action; the modules of a stage
count from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.morphism.errors import ActionError
from pipeline.search_space.architecture import Architecture, MobileNetV2Backbone, ResNetBackbone
from pipeline.search_space.backbones import InvertedBlock, ResidualBlock

Layer = ResidualBlock | InvertedBlock
Stages = tuple[tuple[Layer, ...], ...]


def stages_of(architecture: Architecture) -> Stages:
    """The stages of a ResNet, ResNeXt or MobileNetV2 backbone.

    Raises:
        ActionError: the backbone is made of something else.
    """
    backbone = architecture.backbone
    if not isinstance(backbone, ResNetBackbone | MobileNetV2Backbone):
        raise ActionError(
            "actions change a backbone of type resnet or mobilenetv2, not one of type "
            f"{backbone.type}"
        )
    return backbone.stages


def stage_of(architecture: Architecture, stage: int) -> tuple[Layer, ...]:
    """The layers of one stage.

    Raises:
        ActionError: there is no such stage.
    """
    stages = stages_of(architecture)
    if not 1 <= stage <= len(stages):
        raise ActionError(f"there is no stage {stage}: the backbone has stages 1 to {len(stages)}")
    return stages[stage - 1]


def input_channels(architecture: Architecture, stage: int, number: int) -> int:
    """Channels that a layer reads."""
    stages = stages_of(architecture)
    if number > 1:
        return stages[stage - 1][number - 2].channels
    if stage > 1:
        return stages[stage - 2][-1].channels
    return architecture.backbone.stem_channels  # pyright: ignore[reportAttributeAccessIssue]


def removable_layers(architecture: Architecture, stage: int) -> list[int]:
    """Numbers of the layers that may leave a stage: neither its only one nor its downsampling one.

    What is left must fit together, so a layer that changes the number of channels stays, too: all
    that may leave add to an input of their output's shape.
    """
    layers = stage_of(architecture, stage)
    if len(layers) == 1:
        return []
    return [
        number
        for number, layer in enumerate(layers, 1)
        if layer.stride == 1 and layer.channels == input_channels(architecture, stage, number)
    ]


def scaled_layer(layer: Layer, read: int, channels: int) -> Layer:
    """A layer of the same kind that adds to `channels` channels, as wide inside in proportion.

    The inner width of a ResNet's layer is in proportion to its outputs, group by group; that of a
    MobileNetV2's to the channels it reads (`read`), which is its expansion.
    """
    update: dict[str, Any] = {"channels": channels, "stride": 1}
    if isinstance(layer, ResidualBlock):
        width = layer.mid_channels // layer.groups
        update["mid_channels"] = layer.groups * _in_proportion(width, channels, layer.channels)
    elif layer.operation == "depthwise":
        update["mid_channels"] = channels
    else:
        update["mid_channels"] = _in_proportion(layer.mid_channels, channels, read)
    return layer.model_copy(update=update)


def _in_proportion(width: int, channels: int, of: int) -> int:
    return max(1, round(width * channels / of))


def with_stages(
    architecture: Architecture, changed: Mapping[int, Sequence[Layer]], **widths: int
) -> Architecture:
    """The architecture with other layers in some stages; `widths` are further fields of the backbone.

    Raises:
        ValidationError: these layers make no network.
    """
    stages = tuple(
        tuple(changed.get(stage, layers)) for stage, layers in enumerate(stages_of(architecture), 1)
    )
    backbone = architecture.backbone.model_copy(update={"stages": stages, **widths})
    # copies are not validated
    return Architecture.model_validate(
        architecture.model_copy(update={"backbone": backbone}).model_dump()
    )
