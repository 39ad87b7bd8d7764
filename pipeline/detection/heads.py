"""Necks and heads on RoIs as mmdet configs; those of one-stage detectors: `pipeline.detection.one_stage`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.config.detector import DetectorConfig, TestingConfig
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.heads import BlockHead, ConvFcHead, Rpn
from pipeline.search_space.necks import NasFpnNeck, Neck, PathNeck, SsdNeck

ROI_LEVELS = 4
"""The RoI head uses the finest levels of the pyramid; the RPN sees all."""
EXTRA = {"pool": False, "convolution": "on_input", "convolution_on_output": "on_output"}
"""How mmdet calls the ways to further levels of a feature pyramid."""


def neck_settings(neck: Neck, in_channels: Sequence[int]) -> dict[str, Any]:
    """The mmdet config of a neck on a backbone whose feature maps have `in_channels`."""
    if isinstance(neck, PathNeck):
        return {
            "type": "PathNeck",
            "in_channels": list(in_channels),
            "top_down": [block.model_dump(mode="json") for block in neck.top_down],
            "bottom_up": [block.model_dump(mode="json") for block in neck.bottom_up],
            "first_stage": neck.first_stage,
            "levels": len(neck.strides),
            "extra": neck.extra,
        }
    if isinstance(neck, NasFpnNeck):
        return {
            **neck.model_dump(mode="json"),
            "type": "NasFpnNeck",
            "in_channels": list(in_channels),
        }
    if isinstance(neck, SsdNeck):
        return {
            "type": "SsdNeck",
            "in_channels": list(in_channels),
            "channels": list(neck.channels),
        }
    settings = {
        "type": "FPN",
        "in_channels": list(in_channels),
        "out_channels": neck.channels,
        "start_level": neck.first_stage - 1,
        "num_outs": neck.levels,
        "add_extra_convs": EXTRA[neck.extra],
    }
    if neck.extra == "convolution_on_output":
        settings["relu_before_extra_convs"] = True
    if neck.norm_groups:
        settings["norm_cfg"] = group_norm(neck.norm_groups)
    return settings


def group_norm(groups: int) -> dict[str, Any]:
    """Group normalisation in so many groups."""
    return {"type": "GN", "num_groups": groups, "requires_grad": True}


def two_stage_settings(
    architecture: Architecture,
    rpn: Rpn,
    head: BlockHead | ConvFcHead,
    detector: DetectorConfig,
    testing: TestingConfig,
) -> dict[str, Any]:
    """RPN, RoI head, and how both are trained and tested."""
    neck = architecture.neck
    return {
        "rpn_head": {
            "type": "RPNHead",
            "in_channels": neck.channels,
            "feat_channels": rpn.channels,
            "anchor_generator": {
                "type": "AnchorGenerator",
                "scales": [rpn.anchor_scale],
                "ratios": list(rpn.anchor_ratios),
                "strides": list(neck.strides),
            },
            "bbox_coder": box_coder([1.0, 1.0, 1.0, 1.0]),
            "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
            "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
        },
        "roi_head": {
            **_roi_head(head),
            "bbox_roi_extractor": {
                "type": "SingleRoIExtractor",
                "roi_layer": {
                    "type": "RoIAlign",
                    "output_size": head.roi_size,
                    "sampling_ratio": 0,
                },
                "out_channels": neck.channels,
                "featmap_strides": list(neck.strides[:ROI_LEVELS]),
                # the standard 56 belongs to anchors of 8 strides: an RoI of the size of a level's
                # smallest anchor is pooled from that level
                "finest_scale": 7 * rpn.anchor_scale,
            },
            "bbox_head": _single(_bbox_heads(architecture, head)),
        },
        "train_cfg": _two_stage_training(detector, _ious(head)),
        "test_cfg": {
            "rpn": _proposals(testing.proposals, testing.proposals),
            "rcnn": selection(testing),
        },
    }


def _ious(head: BlockHead | ConvFcHead) -> tuple[float, ...]:
    return head.cascade if isinstance(head, ConvFcHead) else (0.5,)


def _single(items: list[Any]) -> Any:
    """The only item, or a list: so mmdet's configs tell one RoI head from a cascade."""
    return items[0] if len(items) == 1 else items


def _roi_head(head: BlockHead | ConvFcHead) -> dict[str, Any]:
    stages = len(_ious(head))
    if stages == 1:
        return {"type": "StandardRoIHead"}
    return {
        "type": "CascadeRoIHead",
        "num_stages": stages,
        "stage_loss_weights": [0.5**stage for stage in range(stages)],
    }


def _bbox_heads(architecture: Architecture, head: BlockHead | ConvFcHead) -> list[dict[str, Any]]:
    """One for each stage; a later one regresses boxes that are closer already."""
    return [
        {
            **_roi_layers(head),
            "in_channels": architecture.neck.channels,
            "roi_feat_size": head.roi_size,
            "num_classes": architecture.classes,
            "bbox_coder": box_coder([deviation / stage for deviation in (0.1, 0.1, 0.2, 0.2)]),
            "reg_class_agnostic": False,
            "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
            "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
        }
        for stage, _ in enumerate(_ious(head), 1)
    ]


def _roi_layers(head: BlockHead | ConvFcHead) -> dict[str, Any]:
    if isinstance(head, BlockHead):
        return {
            "type": "BlockBBoxHead",
            "blocks": [block.model_dump(mode="json") for block in head.blocks],
            "fc_channels": head.fc_channels,
        }
    # Shared2FCBBoxHead and Shared4Conv1FCBBoxHead are this class with their numbers of layers
    layers: dict[str, Any] = {
        "type": "ConvFCBBoxHead",
        "num_shared_convs": len(head.convs),
        "num_shared_fcs": len(head.fcs),
        "fc_out_channels": head.fcs[0],
    }
    if head.convs:
        layers["conv_out_channels"] = head.convs[0]
    return layers


def box_coder(stds: list[float]) -> dict[str, Any]:
    """Of boxes as changes of others, each divided by one of four deviations."""
    return {"type": "DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": stds}


def assigner(positive: float, negative: float, low_quality: bool) -> dict[str, Any]:
    """Which boxes count as objects: by their IoU, and with `low_quality` also the nearest to each object."""
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


def _suppression(testing: TestingConfig) -> dict[str, Any]:
    if testing.nms == "hard":
        return {"type": "nms", "iou_threshold": testing.nms_iou}
    # what it lowers below the score from which detections count is none, as everywhere
    return {
        "type": "soft_nms",
        "iou_threshold": testing.nms_iou,
        "min_score": testing.score_threshold,
    }


def selection(testing: TestingConfig) -> dict[str, Any]:
    """Which predictions are detections."""
    return {
        "score_thr": testing.score_threshold,
        "nms": _suppression(testing),
        "max_per_img": testing.detections,
    }


def _two_stage_training(settings: DetectorConfig, ious: Sequence[float]) -> dict[str, Any]:
    return {
        "rpn": {
            "assigner": assigner(0.7, 0.3, low_quality=True),
            "sampler": _sampler(settings.rpn_samples, 0.5, add_truth=False),
            "allowed_border": -1,
            "pos_weight": -1,
            "debug": False,
        },
        # the standard recipe keeps twice as many candidates before NMS as it keeps proposals
        "rpn_proposal": _proposals(settings.proposals, 2 * settings.proposals),
        "rcnn": _single(
            [
                {
                    "assigner": assigner(iou, iou, low_quality=False),
                    "sampler": _sampler(settings.roi_samples, 0.25, add_truth=True),
                    "pos_weight": -1,
                    "debug": False,
                }
                for iou in ious
            ]
        ),
    }
