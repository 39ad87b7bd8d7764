"""The one builder: an architecture becomes an mmdet model config, and a model.

The config names the modules of `pipeline.supernet` by their registered names, so it also works
outside the workflow, wherever `pipeline` can be imported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import nn

import pipeline.supernet.backbone  # noqa: F401  (registers the module)
from pipeline.config.detector import DetectorConfig, Normalization, TestingConfig
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.choice import Execution, choice_layers

STRIDES = (4, 8, 16, 32, 64)
"""Strides of the pyramid levels that the RPN sees; the RoI head uses the first four."""


@dataclass(frozen=True)
class Surroundings:
    """The config sections that complete an architecture to a detector."""

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    testing: TestingConfig = field(default_factory=TestingConfig)
    normalization: Normalization = field(default_factory=Normalization)


def model_config(architecture: Architecture, around: Surroundings) -> dict[str, Any]:
    """The mmdet model config of an architecture (a Faster R-CNN), as plain data."""
    channels = architecture.neck.channels
    rpn, head = architecture.rpn, architecture.head
    return {
        "type": "FasterRCNN",
        "data_preprocessor": {
            "type": "DetDataPreprocessor",
            "mean": list(around.normalization.mean),
            "std": list(around.normalization.std),
            "bgr_to_rgb": True,
            "pad_size_divisor": 32,
        },
        "backbone": backbone_config(architecture),
        "neck": {
            "type": "PathNeck",
            "in_channels": list(architecture.backbone.out_channels),
            "top_down": [block.model_dump(mode="json") for block in architecture.neck.top_down],
            "bottom_up": [block.model_dump(mode="json") for block in architecture.neck.bottom_up],
        },
        "rpn_head": {
            "type": "RPNHead",
            "in_channels": channels,
            "feat_channels": rpn.channels,
            "anchor_generator": {
                "type": "AnchorGenerator",
                "scales": [rpn.anchor_scale],
                "ratios": list(rpn.anchor_ratios),
                "strides": list(STRIDES),
            },
            "bbox_coder": _box_coder([1.0, 1.0, 1.0, 1.0]),
            "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
            "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
        },
        "roi_head": {
            "type": "StandardRoIHead",
            "bbox_roi_extractor": {
                "type": "SingleRoIExtractor",
                "roi_layer": {
                    "type": "RoIAlign",
                    "output_size": head.roi_size,
                    "sampling_ratio": 0,
                },
                "out_channels": channels,
                "featmap_strides": list(STRIDES[:4]),
                # the standard 56 belongs to anchors of 8 strides: an RoI of the size of a level's
                # smallest anchor is pooled from that level
                "finest_scale": 7 * rpn.anchor_scale,
            },
            "bbox_head": {
                "type": "BlockBBoxHead",
                "in_channels": channels,
                "roi_feat_size": head.roi_size,
                "num_classes": architecture.classes,
                "blocks": [block.model_dump(mode="json") for block in head.blocks],
                "fc_channels": head.fc_channels,
                "bbox_coder": _box_coder([0.1, 0.1, 0.2, 0.2]),
                "reg_class_agnostic": False,
                "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
                "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
            },
        },
        "train_cfg": _train_config(around.detector),
        "test_cfg": _test_config(around.testing),
    }


def backbone_config(architecture: Architecture) -> dict[str, Any]:
    """The mmdet config of the backbone alone, as its pretraining builds it."""
    backbone = architecture.backbone
    return {
        "type": "BlockBackbone",
        "stem": backbone.stem.model_dump(mode="json"),
        "stages": [[block.model_dump(mode="json") for block in stage] for stage in backbone.stages],
    }


def _box_coder(stds: list[float]) -> dict[str, Any]:
    return {"type": "DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": stds}


def _assigner(positive: float, negative: float, low_quality: bool) -> dict[str, Any]:
    return {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": positive,
        "neg_iou_thr": negative,
        "min_pos_iou": negative,
        "match_low_quality": low_quality,
        "ignore_iof_thr": -1,
    }


def _sampler(number: int, positive: float, add_truth: bool) -> dict[str, Any]:
    return {
        "type": "RandomSampler",
        "num": number,
        "pos_fraction": positive,
        "neg_pos_ub": -1,
        "add_gt_as_proposals": add_truth,
    }


def _proposals(number: int, before: int) -> dict[str, Any]:
    nms = {"type": "nms", "iou_threshold": 0.7}
    return {"nms_pre": before, "max_per_img": number, "nms": nms, "min_bbox_size": 0}


def _train_config(settings: DetectorConfig) -> dict[str, Any]:
    return {
        "rpn": {
            "assigner": _assigner(0.7, 0.3, low_quality=True),
            "sampler": _sampler(settings.rpn_samples, 0.5, add_truth=False),
            "allowed_border": -1,
            "pos_weight": -1,
            "debug": False,
        },
        # the standard recipe keeps twice as many candidates before NMS as it keeps proposals
        "rpn_proposal": _proposals(settings.proposals, 2 * settings.proposals),
        "rcnn": {
            "assigner": _assigner(0.5, 0.5, low_quality=False),
            "sampler": _sampler(settings.roi_samples, 0.25, add_truth=True),
            "pos_weight": -1,
            "debug": False,
        },
    }


def _test_config(settings: TestingConfig) -> dict[str, Any]:
    return {
        "rpn": _proposals(settings.proposals, settings.proposals),
        "rcnn": {
            "score_thr": settings.score_threshold,
            "nms": {"type": "nms", "iou_threshold": settings.nms_iou},
            "max_per_img": settings.detections,
        },
    }


def register_modules() -> None:
    """Register mmdet's models and the searched modules under the names that configs use."""
    # not at the top: importing all of mmdet's models takes seconds, which the stages that train
    # a backbone alone need not spend

    import pipeline.supernet.head
    import pipeline.supernet.neck  # noqa: F401

    init_default_scope("mmdet")
    quiet_logger()


def quiet_logger() -> None:
    """Keep mmengine from logging a line for every parameter that it initialises."""
    if not MMLogger.check_instance_created("mmengine"):
        MMLogger.get_instance("mmengine", log_level="WARNING")


def build_detector(
    architecture: Architecture,
    around: Surroundings,
    *,
    execution: Execution = "store",
    paths: int | None = None,
) -> nn.Module:
    """Build the mmdet detector of an architecture, with freshly initialised weights.

    Args:
        architecture: a network or a supernet.
        around: box sampling and normalisation.
        execution: how choice layers keep activations.
        paths: candidates that a training step of a supernet runs in each layer; all where `None`.
    """
    register_modules()
    model = MODELS.build(ConfigDict(model_config(architecture, around)))
    _prepare(model)
    set_execution(model, execution, paths)
    return model


def _prepare(module: Any) -> None:
    # a module on the meta device has no values
    if not next(module.parameters()).is_meta:
        module.init_weights()
    # a supernet's step is 1.2 to 1.4 times as fast on a CPU (depthwise convolutions gain most), and
    # GPUs prefer it too
    module.to(memory_format=torch.channels_last)


def set_execution(module: nn.Module, execution: Execution, paths: int | None) -> None:
    """Set how all choice layers below `module` run."""
    for layer in choice_layers(module).values():
        layer.execution = execution
        # a layer with fewer candidates than the step runs elsewhere simply runs all of them
        layer.paths = paths


def build_backbone(
    architecture: Architecture, *, execution: Execution = "store", paths: int | None = None
) -> nn.Module:
    """Build the backbone alone, with freshly initialised weights."""
    quiet_logger()
    backbone = MODELS.build(ConfigDict(backbone_config(architecture)))
    _prepare(backbone)
    set_execution(backbone, execution, paths)
    return backbone
