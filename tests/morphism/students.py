"""Small students of every family, with weights in which whatever is misplaced shows."""

from typing import Any

import torch
from telling_weights import randomise

from pipeline.detection.builder import Surroundings, build_detector
from pipeline.search_space.architecture import (
    Architecture,
    Backbone,
    ConvFcHead,
    FpnNeck,
    InvertedBlock,
    MobileNetV2Backbone,
    ResidualBlock,
    ResNetBackbone,
    Rpn,
)


def _resnet(operation: Any, groups: int = 1, depths: tuple[int, ...] = (2, 3, 2, 2)) -> Backbone:
    """Basic blocks add from the stem on; bottlenecks change the width in each stage."""
    factor = 1 if operation == "basic" else 2
    return ResNetBackbone(
        stem_channels=4,
        stages=tuple(
            tuple(
                ResidualBlock(
                    operation=operation,
                    channels=width * factor,
                    mid_channels=width,
                    groups=groups,
                    stride=2 if stage and not number else 1,
                )
                for number in range(depth)
            )
            for stage, (width, depth) in enumerate(zip((4, 8, 12, 16), depths, strict=True))
        ),
    )


def _mobilenet() -> Backbone:
    # channels, expansion, layers, stride of each stage
    shapes = ((4, 1, 1, 1), (6, 3, 2, 2), (8, 3, 3, 2), (10, 2, 2, 2), (12, 2, 2, 1), (14, 2, 2, 2))
    stages, channels = [], 6
    for width, expansion, layers, stride in shapes:
        stage = []
        for number in range(layers):
            kind: Any = "depthwise" if expansion == 1 else "inverted"
            step: Any = 1 if number else stride
            stage.append(
                InvertedBlock(
                    operation=kind, channels=width, mid_channels=channels * expansion, stride=step
                )
            )
            channels = width
        stages.append(tuple(stage))
    return MobileNetV2Backbone(stem_channels=6, stages=tuple(stages), last_channels=16)


def detector_of(backbone: Backbone) -> Architecture:
    return Architecture(
        family="faster_rcnn",
        classes=3,
        input_size=(64, 96),
        backbone=backbone,
        neck=FpnNeck(channels=8),
        rpn=Rpn(channels=8, anchor_scale=4),
        head=ConvFcHead(roi_size=3, fcs=(16, 16)),
    )


FAMILIES = {
    "resnet, basic": detector_of(_resnet("basic")),
    "resnet, bottleneck": detector_of(_resnet("bottleneck")),
    "resnext": detector_of(_resnet("bottleneck", groups=4)),
    "mobilenetv2": detector_of(_mobilenet()),
}


def trained(architecture: Architecture) -> dict[str, torch.Tensor]:
    """Weights as of a trained detector: no two channels alike, statistics that no batch has."""
    torch.manual_seed(0)
    model = build_detector(architecture, Surroundings())
    randomise(model)
    return {name: value.clone() for name, value in model.state_dict().items()}


@torch.no_grad()
def outputs(architecture: Architecture, weights: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """What the detector that loads these weights (strictly) computes of two fixed images."""
    model: Any = build_detector(architecture, Surroundings())
    model.load_state_dict(weights, strict=True)
    model = model.double().eval()
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, 3, 64, 96, generator=generator, dtype=torch.float64)
    levels = model.extract_feat(images)
    scores, boxes = model.rpn_head(levels)
    rois = torch.nn.functional.adaptive_avg_pool2d(levels[0], 3)
    return [*levels, *scores, *boxes, *model.roi_head.bbox_head(rois)]
