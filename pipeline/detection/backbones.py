"""Backbones of the architecture format as mmdet configs.

A standard ResNet, ResNeXt or MobileNetV2 becomes mmdet's own; one of other widths or depths (pruned,
grown, drawn from an elastic pool) a module of this package with the same parameter names, so that
weights move between both. All parameters and batch statistics are trained, unless `pipeline.detection.start`
freezes some.
"""

from __future__ import annotations

from typing import Any

from pipeline.search_space.backbones import (
    Backbone,
    BlockBackbone,
    MobileNetV2Backbone,
    ResNetBackbone,
    ShuffleBackbone,
    VggBackbone,
)
from pipeline.search_space.standard import (
    EXPANSION,
    RESNET_DEPTHS,
    mobilenetv2_backbone,
    resnet_backbone,
)


def backbone_settings(backbone: Backbone) -> dict[str, Any]:
    """The mmdet config of a backbone, as plain data."""
    if isinstance(backbone, BlockBackbone):
        content = backbone.model_dump(mode="json")
        return {"type": "BlockBackbone", "stem": content["stem"], "stages": content["stages"]}
    if isinstance(backbone, ResNetBackbone):
        return _standard_resnet(backbone) or {
            "type": "ResidualBackbone",
            **backbone.model_dump(mode="json", include={"stem_channels", "stages"}),
        }
    if isinstance(backbone, ShuffleBackbone):
        return {**backbone.model_dump(mode="json"), "type": "ShuffleBackbone"}
    if isinstance(backbone, VggBackbone):
        return {**backbone.model_dump(mode="json"), "type": "VggBackbone"}
    return _standard_mobilenetv2(backbone) or {
        "type": "InvertedBackbone",
        **backbone.model_dump(mode="json", include={"stem_channels", "stages", "last_channels"}),
        "out_stages": list(backbone.out_stages),
    }


def _standard_resnet(backbone: ResNetBackbone) -> dict[str, Any] | None:
    """Mmdet's config of the ResNet or ResNeXt that has exactly these blocks, if there is one."""
    first = backbone.stages[0][0]
    base_channels = first.channels // EXPANSION[first.operation]
    group_width = first.mid_channels // first.groups
    for depth, (operation, _) in RESNET_DEPTHS.items():
        if operation != first.operation:
            continue
        standard = resnet_backbone(
            depth,
            base_channels=max(base_channels, 1),
            groups=first.groups,
            group_width=group_width if first.groups > 1 else None,
            stem_channels=backbone.stem_channels,
        )
        if standard == backbone:
            config = {
                "type": "ResNet",
                "depth": depth,
                "base_channels": base_channels,
                "stem_channels": backbone.stem_channels,
                "norm_eval": False,
            }
            if first.groups > 1:
                config |= {"type": "ResNeXt", "groups": first.groups, "base_width": group_width}
            return config
    return None


def _standard_mobilenetv2(backbone: MobileNetV2Backbone) -> dict[str, Any] | None:
    if backbone != mobilenetv2_backbone():
        return None
    return {"type": "MobileNetV2", "out_indices": list(backbone.out_stages)}
