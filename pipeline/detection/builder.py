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

from pipeline.config.detector import DetectorConfig, Normalization, TestingConfig
from pipeline.config.optimization import COARSEST_STRIDE
from pipeline.detection.backbones import backbone_settings
from pipeline.detection.heads import neck_settings, two_stage_settings
from pipeline.detection.one_stage import kind, one_stage_settings
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.backbones import BlockBackbone
from pipeline.search_space.heads import ConvFcHead, Head, OneStageHead
from pipeline.supernet.backbone import BlockBackbone as SearchedBackbone
from pipeline.supernet.choice import Execution, choice_layers
from pipeline.training.computing import in_float32, in_precision


@dataclass(frozen=True)
class Surroundings:
    """The config sections that complete an architecture to a detector."""

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    testing: TestingConfig = field(default_factory=TestingConfig)
    normalization: Normalization = field(default_factory=Normalization)


def model_config(architecture: Architecture, around: Surroundings) -> dict[str, Any]:
    """The mmdet model config of an architecture, as plain data."""
    rpn, head = architecture.rpn, architecture.head
    if isinstance(head, OneStageHead):
        heads = one_stage_settings(architecture, head, around.testing)
    else:
        assert rpn is not None, "the format asks for an rpn before a head on RoIs"
        heads = two_stage_settings(architecture, rpn, head, around.detector, around.testing)
    return {
        "type": _kind(head),
        "data_preprocessor": {
            "type": "DetDataPreprocessor",
            "mean": list(around.normalization.mean),
            "std": list(around.normalization.std),
            "bgr_to_rgb": True,
            "pad_size_divisor": COARSEST_STRIDE,
        },
        "backbone": backbone_config(architecture),
        "neck": neck_settings(architecture.neck, architecture.backbone.out_channels),
        **heads,
    }


def _kind(head: Head) -> str:
    """The detector's class in mmdet."""
    if isinstance(head, OneStageHead):
        return kind(head)
    return "CascadeRCNN" if isinstance(head, ConvFcHead) and len(head.cascade) > 1 else "FasterRCNN"


def backbone_config(architecture: Architecture) -> dict[str, Any]:
    """The mmdet config of the backbone alone, as its pretraining builds it."""
    return backbone_settings(architecture.backbone)


def register_modules() -> None:
    """Register mmdet's models and the searched modules under the names that configs use."""
    # not at the top: importing all of mmdet's models takes seconds, which the stages that train
    # a backbone alone need not spend
    import mmdet.models  # noqa: F401

    import pipeline.detection.inverted
    import pipeline.detection.nas_fpn
    import pipeline.detection.residual
    import pipeline.detection.shuffle
    import pipeline.detection.ssd
    import pipeline.supernet.head
    import pipeline.supernet.neck
    import pipeline.supernet.towers  # noqa: F401

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
    model: Any = MODELS.build(ConfigDict(model_config(architecture, around)))
    _prepare(model)
    set_execution(model, execution, paths)
    _compute_in_precision(model)
    # a copy to a GPU need not be waited for; its source is pinned (`pipeline.training.stream`)
    model.data_preprocessor._non_blocking = True
    return model


def _compute_in_precision(detector: Any) -> None:
    """Let backbone, neck and heads compute as `run.precision` says; what lies between them in float32."""
    from mmcv.ops import DeformConv2d, ModulatedDeformConv2d

    if hasattr(detector, "roi_head"):
        heads = detector.roi_head.bbox_head
        each = list(heads) if isinstance(heads, nn.ModuleList) else [heads]
        in_precision(detector.backbone, detector.neck, detector.rpn_head, *each)
    else:
        in_precision(detector.backbone, detector.neck, detector.bbox_head)
    # their offsets are coordinates
    deformable = (DeformConv2d, ModulatedDeformConv2d)
    in_float32(*(module for module in detector.modules() if isinstance(module, deformable)))


def _prepare(module: Any) -> None:
    # a module on the meta device has no values
    if not next(module.parameters()).is_meta:
        module.init_weights()
    # A supernet's step is 1.2 to 1.4 times as fast on a CPU with channels last (depthwise convolutions
    # gain most). Not with a strided 1×1 convolution: on a CPU torch 2.14.1 freed memory twice in the
    # backward pass of one from 6 to 9 channels, and which widths are sound is not known.
    searched = any(isinstance(child, SearchedBackbone) for child in module.modules())
    strided_pointwise = any(
        isinstance(child, nn.Conv2d) and child.kernel_size == (1, 1) and child.stride != (1, 1)
        for child in module.modules()
    )
    if searched and not strided_pointwise:
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
    if isinstance(architecture.backbone, BlockBackbone):
        quiet_logger()
    else:
        register_modules()
    backbone = MODELS.build(ConfigDict(backbone_config(architecture)))
    _prepare(backbone)
    set_execution(backbone, execution, paths)
    in_precision(backbone)
    return backbone
