"""One small detector of each kind that the project makes, with telling weights, and its folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmcv.ops import DeformConv2dPack
from mmdet.structures import DetDataSample
from telling_weights import randomise_norms

from pipeline.artifacts.manifest import Origin
from pipeline.artifacts.publish import publish
from pipeline.config.detector import DetectorConfig
from pipeline.config.detector import TestingConfig as Selection
from pipeline.config.supernet import SupernetConfig
from pipeline.config.teacher_pool import PoolSpace
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.detector_folder import detector_files
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import (
    Architecture,
    Block,
    ConvFcHead,
    FpnNeck,
    InvertedBlock,
    MobileNetV2Backbone,
    ResidualBlock,
    ResNetBackbone,
    RetinaHead,
    Rpn,
    TowerHead,
)
from pipeline.search_space.standard import resnet_backbone
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.scaling import scaled

CLASSES = ["cat", "dog", "emu"]
AROUND = Surroundings(
    detector=DetectorConfig(image_scale=(160, 128)),
    testing=Selection(proposals=60, score_threshold=0.02, detections=40),
)
SHAPE = SupernetConfig(
    input_size=(128, 160),
    stem_channels=4,
    channels=(6, 8, 8, 12),
    neck_channels=8,
    rpn_channels=8,
    anchor_scale=4,
    head_blocks=2,
    head_fc_channels=16,
    roi_size=7,
)


def _two_stage(backbone: Any, head: ConvFcHead) -> Architecture:
    return Architecture(
        family="faster_rcnn",
        classes=len(CLASSES),
        input_size=(128, 160),
        backbone=backbone,
        neck=FpnNeck(channels=8),
        rpn=Rpn(channels=8, anchor_scale=4),
        head=head,
    )


def _searched() -> Architecture:
    """With dilated depthwise convolutions, which PyTorch computes in several ways, by the map's size."""
    operations = {"backbone": "ir_k3_d1_e3", "neck": "sep_k5_d2", "head": "ir_k5_d2_e1"}
    return supernet_architecture(SHAPE, len(CLASSES), (1, 1, 1, 1), operations)


def _searched_one_stage() -> Architecture:
    whole = _searched()
    towers = tuple(Block(operation=name, channels=8) for name in ("sep_k3_d2", "ir_k3_d1_e1"))
    return Architecture(
        family="hit_detector",
        classes=len(CLASSES),
        input_size=(128, 160),
        backbone=whole.backbone,
        neck=whole.neck,
        rpn=None,
        head=TowerHead(class_tower=towers, box_tower=towers[::-1], anchor_scale=2),
    )


def _baseline() -> Architecture:
    return _two_stage(resnet_backbone(18, base_channels=4), ConvFcHead(roi_size=7, fcs=(16, 16)))


def _mobile_retinanet() -> Architecture:
    blocks = [InvertedBlock(channels=8, mid_channels=9, stride=2) for _ in range(4)]
    first = InvertedBlock(operation="depthwise", channels=4, mid_channels=4)
    backbone = MobileNetV2Backbone(
        stem_channels=4, last_channels=7, stages=((first,), *((block,) for block in blocks))
    )
    return Architecture(
        family="retinanet",
        classes=len(CLASSES),
        input_size=(128, 160),
        backbone=backbone,
        neck=FpnNeck(channels=8, first_stage=2, extra="convolution"),
        rpn=None,
        head=RetinaHead(class_tower=(8, 8), box_tower=(8, 8), anchor_scale=2),
    )


def _upgraded() -> Architecture:
    """A student's odd widths, deformable convolutions in groups, and a cascade."""
    widths = ((6, 4), (9, 4), (9, 6), (12, 8))
    backbone = ResNetBackbone(
        stem_channels=5,
        stages=tuple(
            (
                ResidualBlock(
                    operation="bottleneck",
                    channels=channels,
                    mid_channels=middle,
                    groups=2 if stage else 1,
                    stride=2 if stage else 1,
                    deformable=stage > 0,
                ),
            )
            for stage, (channels, middle) in enumerate(widths)
        ),
    )
    head = ConvFcHead(roi_size=7, convs=(6,), fcs=(16, 16), cascade=(0.5, 0.6, 0.7))
    return _two_stage(backbone, head)


def _other_methods() -> Architecture:
    """DetNAS's layers, and the cells of NAS-FPN, which resize maps by their levels."""
    return scaled(
        zoo_architecture("nas_fpn_detnas_1_3g"),
        width=0.125,
        head_width=0.03125,
        classes=len(CLASSES),
        input_size=(128, 160),
        anchor_scale=4,
    )


def _subnet() -> tuple[Architecture, dict[str, torch.Tensor]]:
    """The smallest network of an elastic pool, with its part of the pool's weights."""
    shape = PoolSpace(
        block="bottleneck",
        base_channels=4,
        neck_channels=8,
        rpn_channels=8,
        anchor_scale=4,
        roi_size=7,
        head_fc_channels=16,
        least_depths=(1, 1, 1, 1),
        greatest_depths=(2, 2, 3, 2),
        resolutions=((160, 128), (128, 96)),
    )
    space = SubnetSpace.whole(shape, classes=len(CLASSES))
    elastic = ElasticDetector(space, AROUND)
    _randomise(elastic.model)
    elastic.set_active_subnet(space.smallest)
    alone = elastic.get_active_subnet()
    return alone.architecture, alone.weights


KINDS: dict[str, Callable[[], Architecture]] = {
    "searched": _searched,
    "searched one-stage": _searched_one_stage,
    "baseline": _baseline,
    "MobileNetV2 RetinaNet": _mobile_retinanet,
    "upgraded student": _upgraded,
    "DetNAS with NAS-FPN": _other_methods,
}
POOL_SUBNET = "pool subnet"
ALL_KINDS = (*KINDS, POOL_SUBNET)


def small_detector(kind: str) -> tuple[Any, Architecture]:
    """The detector of a kind, in eval mode, whose scores and boxes differ from place to place."""
    torch.manual_seed(0)
    if kind == POOL_SUBNET:
        architecture, weights = _subnet()
        model: Any = build_detector(architecture, AROUND)
        model.load_state_dict(weights)
    else:
        architecture = KINDS[kind]()
        model = build_detector(architecture, AROUND)
        _randomise(model)
    return model.eval(), architecture


SPREAD = {"cls": 1.0, "reg": 0.3}
"""Deviation of what the last layers give: no scores so near to 1 that they are equal, no far boxes."""


def _randomise(model: Any) -> None:
    randomise_norms(model)
    for module in model.modules():
        if isinstance(module, DeformConv2dPack):
            module.conv_offset.weight.data.normal_(0, 0.3)
    model.eval()
    image = torch.randn(1, 3, 128, 160)
    for name, layer in model.named_modules():
        if (kind := name.split("_")[-1].split(".")[0]) in SPREAD and hasattr(layer, "weight"):
            layer.weight.data.normal_(0, 0.3)
            given: list[torch.Tensor] = []
            hook = layer.register_forward_hook(lambda *call, given=given: given.append(call[2]))
            with torch.no_grad():
                model.predict(image, [_sample()])
            hook.remove()
            layer.weight.data *= SPREAD[kind] / torch.cat([g.flatten() for g in given]).std()
            layer.bias.data.normal_(0, SPREAD[kind] / 2)


def _sample() -> Any:
    return DetDataSample(
        metainfo={"img_shape": (128, 160), "ori_shape": (128, 160), "scale_factor": (1.0, 1.0)}
    )


@dataclass(frozen=True)
class Exported:
    """A detector folder, what mmdet makes of it, and the file that was exported from it."""

    folder: Path
    model: Any
    onnx: Path


def detector_folder(kind: str, folder: Path) -> Path:
    """The published folder of a kind's detector."""
    model, architecture = small_detector(kind)
    files = detector_files(architecture, model.state_dict(), AROUND, CLASSES, {"AP": 0.5})
    origin = Origin(stage="train_detector", config={}, code=None, inputs={}, seed=0)
    publish(folder, files, origin)
    return folder
