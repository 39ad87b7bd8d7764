"""Standard backbones as the format describes them: ResNet, ResNeXt, MobileNetV2."""

from __future__ import annotations

from pipeline.search_space.backbones import (
    InvertedBlock,
    MobileNetV2Backbone,
    ResidualBlock,
    ResNetBackbone,
)

RESNET_DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
"""Per depth the operation, and the blocks of each stage (He et al. 2016, Table 1)."""

EXPANSION = {"basic": 1, "bottleneck": 4}
"""Output channels of a block over the planes of its stage."""

# expansion, channels, blocks and stride of each stage (Sandler et al. 2018, Table 2)
_MOBILENETV2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def resnet_backbone(
    depth: int,
    *,
    base_channels: int = 64,
    groups: int = 1,
    group_width: int | None = None,
    stem_channels: int | None = None,
) -> ResNetBackbone:
    """A ResNet, or with several groups a ResNeXt.

    Args:
        depth: 18, 34, 50, 101 or 152.
        base_channels: planes of the first stage; they double from stage to stage.
        groups: of the 3×3 convolution of a bottleneck.
        group_width: channels of a group in the first stage (ResNeXt-101-32x4d: 4); by default the
            inner width is the number of planes.
        stem_channels: of the first convolution; by default `base_channels`.

    Raises:
        ValueError: there is no such depth, or its blocks have no groups.
    """
    if depth not in RESNET_DEPTHS:
        raise ValueError(f"no ResNet of depth {depth}: expected one of {sorted(RESNET_DEPTHS)}")
    operation, depths = RESNET_DEPTHS[depth]
    stages = []
    for number, blocks in enumerate(depths):
        planes = base_channels * 2**number
        middle = planes if group_width is None else groups * group_width * 2**number
        stages.append(
            tuple(
                ResidualBlock.model_validate(
                    {
                        "operation": operation,
                        "channels": planes * EXPANSION[operation],
                        "mid_channels": middle,
                        "groups": groups,
                        "stride": 2 if number and not block else 1,
                    }
                )
                for block in range(blocks)
            )
        )
    return ResNetBackbone(stem_channels=stem_channels or base_channels, stages=tuple(stages))


def mobilenetv2_backbone() -> MobileNetV2Backbone:
    """MobileNetV2 of width 1."""
    channels = 32
    stages = []
    for expansion, width, blocks, stride in _MOBILENETV2:
        stage = []
        for number in range(blocks):
            stage.append(
                InvertedBlock.model_validate(
                    {
                        "operation": "inverted" if expansion > 1 else "depthwise",
                        "channels": width,
                        "mid_channels": channels * expansion,
                        "stride": 1 if number else stride,
                    }
                )
            )
            channels = width
        stages.append(tuple(stage))
    return MobileNetV2Backbone(stages=tuple(stages))
