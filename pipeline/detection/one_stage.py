"""One-stage heads of the architecture format as mmdet configs, and how they are trained and tested."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pipeline.config.detector import TestingConfig
from pipeline.detection.heads import assigner, box_coder, group_norm, selection
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.heads import (
    FcosHead,
    OneStageHead,
    RepPointsHead,
    RetinaHead,
    SsdHead,
    TowerHead,
)

# any object is smaller
ENDLESS = 1e8

Parts = dict[str, Any]


def one_stage_settings(
    architecture: Architecture, head: OneStageHead, testing: TestingConfig
) -> Parts:
    """The head on the pyramid, and how it is trained and tested."""
    match head:
        case FcosHead():
            layers, training = _fcos(architecture, head)
        case RepPointsHead():
            layers, training = _reppoints(architecture, head)
        case SsdHead():
            layers, training = _ssd(architecture, head)
        case _:
            layers, training = _retina(architecture, head)
    return {
        "bbox_head": {**layers, "num_classes": architecture.classes},
        "train_cfg": {**training, "allowed_border": -1, "pos_weight": -1, "debug": False},
        "test_cfg": {"nms_pre": testing.proposals, "min_bbox_size": 0, **selection(testing)},
    }


def kind(head: OneStageHead) -> str:
    """The detector's class in mmdet."""
    match head:
        case FcosHead():
            return "FCOS"
        case RepPointsHead():
            return "RepPointsDetector"
        case SsdHead():
            return "SingleStageDetector"
        case _:
            return "RetinaNet"


def _focal() -> Parts:
    return {
        "type": "FocalLoss",
        "use_sigmoid": True,
        "gamma": 2.0,
        "alpha": 0.25,
        "loss_weight": 1.0,
    }


def _retina(architecture: Architecture, head: RetinaHead | TowerHead) -> tuple[Parts, Parts]:
    """RetinaNet (Lin et al. 2017)."""
    layers = {
        **_towers(head),
        "in_channels": architecture.neck.channels,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "octave_base_scale": head.anchor_scale,
            "scales_per_octave": head.scales_per_octave,
            "ratios": list(head.anchor_ratios),
            "strides": list(architecture.neck.strides),
        },
        "bbox_coder": box_coder([1.0, 1.0, 1.0, 1.0]),
        "loss_cls": _focal(),
        "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
    }
    training = {
        "assigner": assigner(0.5, 0.4, low_quality=True) | {"min_pos_iou": 0},
        # the focal loss takes every anchor
        "sampler": {"type": "PseudoSampler"},
    }
    return layers, training


def _towers(head: RetinaHead | TowerHead) -> Parts:
    if isinstance(head, RetinaHead):
        return {
            "type": "RetinaHead",
            "stacked_convs": len(head.class_tower),
            "feat_channels": head.class_tower[0],
        }
    return {
        "type": "TowerHead",
        "class_tower": [block.model_dump(mode="json") for block in head.class_tower],
        "box_tower": [block.model_dump(mode="json") for block in head.box_tower],
    }


def _fcos(architecture: Architecture, head: FcosHead) -> tuple[Parts, Parts]:
    """FCOS with the improvements of its paper (Tian et al. 2019)."""
    strides = architecture.neck.strides
    bounds = [-1, *(head.range_scale * stride for stride in strides[:-1]), ENDLESS]
    layers = {
        "type": "FCOSHead",
        "in_channels": architecture.neck.channels,
        "stacked_convs": len(head.class_tower),
        "feat_channels": head.class_tower[0],
        "strides": list(strides),
        "regress_ranges": list(pairwise(bounds)),
        "norm_cfg": group_norm(head.norm_groups),
        "conv_bias": True,
        "norm_on_bbox": True,
        "centerness_on_reg": True,
        "center_sampling": True,
        "loss_cls": _focal(),
        "loss_bbox": {"type": "GIoULoss", "loss_weight": 1.0},
    }
    return layers, {}


def _reppoints(architecture: Architecture, head: RepPointsHead) -> tuple[Parts, Parts]:
    """RepPoints by moments (Yang et al. 2019)."""
    layers = {
        "type": "RepPointsHead",
        "in_channels": architecture.neck.channels,
        "stacked_convs": len(head.class_tower),
        "feat_channels": head.class_tower[0],
        "point_feat_channels": head.point_channels,
        "point_strides": list(architecture.neck.strides),
        "point_base_scale": head.base_scale,
        "norm_cfg": group_norm(head.norm_groups),
        "loss_cls": _focal(),
    }
    common = {"allowed_border": -1, "pos_weight": -1, "debug": False}
    guessed = {"type": "PointAssigner", "scale": head.base_scale, "pos_num": 1}
    refined = assigner(0.5, 0.4, low_quality=True) | {"min_pos_iou": 0}
    return layers, {
        "init": {"assigner": guessed, **common},
        "refine": {"assigner": refined, **common},
    }


def _ssd(architecture: Architecture, head: SsdHead) -> tuple[Parts, Parts]:
    """SSD (Liu et al. 2016)."""
    neck = architecture.neck
    assert not isinstance(neck.channels, int), "the format asks for an SSD's neck"
    side = min(architecture.input_size)
    sizes = [side * share for share in head.anchor_sizes]
    layers = {
        "type": "SsdHead",
        "in_channels": [*architecture.backbone.out_channels, *neck.channels],
        "anchor_generator": {
            "type": "SSDAnchorGenerator",
            "scale_major": False,
            "strides": list(neck.strides),
            "ratios": [list(ratios) for ratios in head.anchor_ratios],
            "min_sizes": sizes[:-1],
            "max_sizes": sizes[1:],
        },
        "bbox_coder": box_coder([0.1, 0.1, 0.2, 0.2]),
    }
    training = {
        "assigner": assigner(0.5, 0.5, low_quality=True)
        | {"min_pos_iou": 0.0, "gt_max_assign_all": False},
        "sampler": {"type": "PseudoSampler"},
        "smoothl1_beta": 1.0,
        # of the places without an object, the three times as many that are most wrong
        "neg_pos_ratio": 3,
    }
    return layers, training
