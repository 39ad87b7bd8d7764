"""The architecture of a detector that mmdet built, read off its modules.

What the format cannot say is a reason to refuse; all reasons are given together. Whether the network that
the builder makes of the architecture is the same function is for `conversion` to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError
from torch import nn

from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.backbones import (
    Backbone,
    InvertedBlock,
    MobileNetV2Backbone,
    ResidualBlock,
    ResNetBackbone,
)
from pipeline.search_space.heads import ConvFcHead, Rpn
from pipeline.search_space.necks import FpnNeck

RESNETS = ("ResNet", "ResNeXt", "ResidualBackbone")
MOBILENETS = ("MobileNetV2", "InvertedBackbone")
BOX_HEADS = ("Shared2FCBBoxHead", "Shared4Conv1FCBBoxHead", "ConvFCBBoxHead")


class UnsupportedDetectorError(DetSearchError):
    """A detector that the architecture format cannot describe; the message lists every reason."""


def describe_detector(model: Any, input_size: tuple[int, int]) -> Architecture:
    """The architecture of a Faster R-CNN with FPN on a ResNet, ResNeXt or MobileNetV2.

    Args:
        model: built by mmdet; it may lie on the meta device.
        input_size: (height, width) in pixels at which costs are to be counted.

    Raises:
        UnsupportedDetectorError: it is made of something else.
    """
    _refuse(_foreign_parts(model))
    _refuse(
        [
            *_backbone_problems(model.backbone),
            *_neck_problems(model.neck),
            *_rpn_problems(model.rpn_head),
            *_roi_head_problems(model.roi_head),
        ]
    )
    box_head, anchors = model.roi_head.bbox_head, model.rpn_head.prior_generator
    resnet = _kind(model.backbone) in RESNETS
    try:
        architecture = Architecture(
            family="faster_rcnn",
            classes=box_head.num_classes,
            input_size=input_size,
            backbone=_resnet(model.backbone) if resnet else _mobilenetv2(model.backbone),
            neck=FpnNeck(
                channels=model.neck.out_channels,
                levels=model.neck.num_outs,
                extra="convolution" if model.neck.add_extra_convs else "pool",
            ),
            rpn=Rpn(
                channels=model.rpn_head.feat_channels,
                anchor_scale=int(anchors.scales[0]),
                anchor_ratios=tuple(round(float(ratio), 6) for ratio in anchors.ratios),
            ),
            head=ConvFcHead(
                roi_size=box_head.roi_feat_size[0],
                convs=(box_head.conv_out_channels,) * box_head.num_shared_convs,
                fcs=(box_head.fc_out_channels,) * box_head.num_shared_fcs,
            ),
            provenance={"source": "mmdet"},
        )
    except ValidationError as error:
        reasons = [str(problem["msg"]).removeprefix("Value error, ") for problem in error.errors()]
        raise UnsupportedDetectorError("; ".join(reasons)) from None
    maps: Any = getattr(model.backbone, "out_indices", getattr(model.backbone, "out_stages", ()))
    backbone = architecture.backbone
    if isinstance(backbone, MobileNetV2Backbone) and tuple(maps) != backbone.out_stages:
        wanted = list(backbone.out_stages)
        raise UnsupportedDetectorError(
            f"the backbone must give the last maps of strides 4 to 32 (out_indices {wanted}), not {maps}"
        )
    return architecture


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise UnsupportedDetectorError("; ".join(problems))


def _kind(module: Any) -> str:
    return type(module).__name__


def _foreign_parts(model: Any) -> list[str]:
    """Components of other types than those the format has."""
    if _kind(model) != "FasterRCNN":
        return [f"the model must be a FasterRCNN, not a {_kind(model)}"]
    roi_head = model.roi_head
    parts: list[tuple[str, Any, Sequence[str]]] = [
        ("backbone", model.backbone, (*RESNETS, *MOBILENETS)),
        ("neck", getattr(model, "neck", None), ("FPN",)),
        ("rpn_head", model.rpn_head, ("RPNHead",)),
        ("roi_head", roi_head, ("StandardRoIHead",)),
        ("roi_head.bbox_head", getattr(roi_head, "bbox_head", None), BOX_HEADS),
    ]
    problems = [
        f"{name} must be {' or '.join(allowed)}, not {_kind(module)}"
        for name, module, allowed in parts
        if _kind(module) not in allowed
    ]
    if getattr(roi_head, "with_mask", False):
        problems.append("the roi_head must have no masks")
    return problems


def _backbone_problems(backbone: Any) -> Iterator[str]:
    """What a ResNet or MobileNetV2 has that the format has not."""
    norms = [m for m in backbone.modules() if "Norm" in _kind(m)]
    if others := sorted({_kind(norm) for norm in norms if type(norm) is not nn.BatchNorm2d}):
        yield f"the backbone's norms must be batch normalisation, not {', '.join(others)}"
    convolutions = [m for m in backbone.modules() if "Conv" in _kind(m) and hasattr(m, "weight")]
    if others := sorted({_kind(c) for c in convolutions if type(c) is not nn.Conv2d}):
        yield f"the backbone's convolutions must be ordinary ones, not {', '.join(others)}"
    if any(getattr(c, "dilation", (1, 1)) != (1, 1) for c in convolutions):
        yield "the backbone must have no dilations"
    if _kind(backbone) in MOBILENETS:
        return
    if getattr(backbone, "deep_stem", False):
        yield "the backbone must have a stem of one convolution, not deep_stem"
    if getattr(backbone, "avg_down", False):
        yield "the backbone's shortcuts must be convolutions, not avg_down"
    if getattr(backbone, "plugins", None):
        yield "the backbone must have no plugins"
    if getattr(backbone, "num_stages", 4) != 4:
        yield f"the backbone must have 4 stages, not {backbone.num_stages}"
        return
    if tuple(getattr(backbone, "out_indices", range(4))) != (0, 1, 2, 3):
        yield f"the backbone must give the maps of all 4 stages, not {backbone.out_indices}"
    if any(block.conv1.stride != (1, 1) for block in _blocks(backbone) if hasattr(block, "conv3")):
        yield "a bottleneck's 3×3 convolution must have the stride (style pytorch), not its first 1×1"


def _neck_problems(neck: Any) -> Iterator[str]:
    if neck.num_ins != 4 or neck.start_level != 0 or neck.backbone_end_level != 4:
        yield "the FPN must read all 4 feature maps"
    if neck.add_extra_convs not in (False, "on_input"):
        yield f"the FPN's extra convolutions must be on_input, not {neck.add_extra_convs}"
    if any("Norm" in _kind(module) for module in neck.modules()):
        yield "the FPN must have no norms"


def _rpn_problems(rpn: Any) -> Iterator[str]:
    anchors = rpn.prior_generator
    if _kind(anchors) != "AnchorGenerator":
        yield f"the anchors must come from an AnchorGenerator, not a {_kind(anchors)}"
        return
    if len(anchors.scales) != 1 or float(anchors.scales[0]) != int(anchors.scales[0]):
        yield f"anchors must have one scale, a whole number, not {anchors.scales.tolist()}"
    if not isinstance(rpn.rpn_conv, nn.Conv2d):
        yield "the RPN must have one convolution"
    if not rpn.use_sigmoid_cls:
        yield "the RPN's scores must be sigmoids (use_sigmoid)"


def _roi_head_problems(roi_head: Any) -> Iterator[str]:
    head = roi_head.bbox_head
    if head.reg_class_agnostic:
        yield "the box regression must be class-aware, not reg_class_agnostic"
    if head.num_shared_convs and head.norm_cfg:
        yield "the bbox_head's convolutions must have no norms"
    if head.num_cls_convs + head.num_cls_fcs + head.num_reg_convs + head.num_reg_fcs:
        yield "the bbox_head's layers must be shared by scores and boxes"
    if head.with_avg_pool:
        yield "the bbox_head must not pool its features"
    if not head.num_shared_fcs:
        yield "the bbox_head must have a fully connected layer"
    if getattr(head.loss_cls, "use_sigmoid", False) or getattr(head, "custom_cls_channels", False):
        yield "the class scores must be a softmax"
    if head.roi_feat_size[0] != head.roi_feat_size[1]:
        yield f"the RoI features must be square, not {head.roi_feat_size}"


def _blocks(backbone: Any) -> Iterator[Any]:
    for stage in range(1, 5):
        yield from getattr(backbone, f"layer{stage}")


def _resnet(backbone: Any) -> Backbone:
    return ResNetBackbone(
        stem_channels=backbone.conv1.out_channels,
        stages=tuple(
            tuple(_residual_block(block) for block in getattr(backbone, f"layer{stage}"))
            for stage in range(1, 5)
        ),
    )


def _residual_block(block: Any) -> ResidualBlock:
    bottleneck = hasattr(block, "conv3")
    last, strided = (block.conv3, block.conv2) if bottleneck else (block.conv2, block.conv1)
    return ResidualBlock(
        operation="bottleneck" if bottleneck else "basic",
        channels=last.out_channels,
        mid_channels=block.conv1.out_channels,
        groups=block.conv2.groups,
        stride=strided.stride[0],
    )


def _mobilenetv2(backbone: Any) -> Backbone:
    names = [name for name, _ in backbone.named_children() if name.startswith("layer")]
    return MobileNetV2Backbone(
        stem_channels=backbone.conv1.conv.out_channels,
        stages=tuple(
            tuple(_inverted_block(block) for block in getattr(backbone, name)) for name in names
        ),
        last_channels=backbone.conv2.conv.out_channels,
    )


def _inverted_block(block: Any) -> InvertedBlock:
    depthwise = block.depthwise_conv.conv
    return InvertedBlock(
        operation="inverted" if block.with_expand_conv else "depthwise",
        channels=block.linear_conv.conv.out_channels,
        mid_channels=depthwise.out_channels,
        stride=depthwise.stride[0],
    )
