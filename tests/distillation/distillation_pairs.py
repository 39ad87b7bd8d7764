"""Small detectors of several widths and heads, and a batch for them."""

from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from pipeline.config.detector import DetectorConfig, TestingConfig
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.search_space.architecture import Architecture, ConvFcHead, FpnNeck, Rpn
from pipeline.search_space.block import Block
from pipeline.search_space.heads import BlockHead
from pipeline.search_space.standard import mobilenetv2_backbone, resnet_backbone

AROUND = Surroundings(
    detector=DetectorConfig(rpn_samples=16, proposals=30, roi_samples=16, image_scale=(64, 64)),
    testing=TestingConfig(proposals=30, detections=20),
)


def architecture(**changes: Any) -> Architecture:
    """A small ResNet-18 FPN, or with other parts."""
    parts: dict[str, Any] = {
        "family": "faster_rcnn",
        "backbone": resnet_backbone(18, base_channels=4),
        "neck": FpnNeck(channels=8),
        "rpn": Rpn(channels=8, anchor_scale=4),
        "head": ConvFcHead(roi_size=3, fcs=(16, 16)),
        "classes": 3,
        "input_size": (64, 64),
    }
    return Architecture(**(parts | changes))


STUDENT = architecture()
TEACHERS = {
    "same": STUDENT,
    "wider": architecture(
        backbone=resnet_backbone(50, base_channels=4),
        neck=FpnNeck(channels=12),
        head=ConvFcHead(roi_size=5, convs=(6,), fcs=(20,)),
    ),
    "narrower": architecture(neck=FpnNeck(channels=6), head=ConvFcHead(roi_size=2, fcs=(8,))),
    "searched head": architecture(
        family="hit_detector",
        neck=FpnNeck(channels=12),
        head=BlockHead(
            roi_size=3, blocks=(Block(operation="sep_k3_d1", channels=12),), fc_channels=16
        ),
    ),
    "mobilenet": architecture(backbone=mobilenetv2_backbone()),
}


def detector(of: Architecture, seed: int = 0) -> Any:
    """A detector in training mode whose scores and boxes differ from proposal to proposal."""
    torch.manual_seed(seed)
    model: Any = build_detector(of, AROUND)
    heads: Any = model.roi_head.bbox_head
    for head in heads if hasattr(heads, "__iter__") else [heads]:
        for layer in (head.fc_cls, head.fc_reg):
            layer.weight.data.normal_(0, 0.3)
    return model.train()


def batch(seed: int = 0, *, objects: bool = True) -> dict[str, list[Any]]:
    """Two images of noise, with two objects each, or with none."""
    generator = torch.Generator().manual_seed(seed)
    sample: Any = DetDataSample(
        metainfo={"img_shape": (64, 64), "ori_shape": (64, 64), "scale_factor": (1.0, 1.0)}
    )
    boxes = torch.tensor([[4.0, 6, 30, 34], [20, 24, 60, 62]])
    labels = torch.tensor([0, 2])
    number = 2 if objects else 0
    sample.gt_instances = InstanceData(bboxes=boxes[:number], labels=labels[:number])
    images = torch.randint(0, 256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8)
    return {"inputs": list(images), "data_samples": [sample, sample.clone()]}
