"""The operators of a detector that PyTorch's exporter has no name for, each as one node of ONNX.

In PyTorch each computes what its node does, by torchvision's kernels, so that a module made of them can be
compared with mmdet before it is exported.
"""

from __future__ import annotations

from typing import Any

import torch
import torchvision
from torch import Tensor
from torch.autograd import Function

OPSET = 19
"""The version of ONNX's operators: the first with `DeformConv`."""


class _Suppression(Function):
    @staticmethod
    def forward(
        ctx: Any, boxes: Tensor, scores: Tensor, most: int, iou: float, threshold: float
    ) -> Tensor:
        selected = []
        for sample in range(boxes.shape[0]):
            for label in range(scores.shape[1]):
                above = torch.nonzero(scores[sample, label] > threshold).squeeze(1)
                kept = torchvision.ops.nms(boxes[sample, above], scores[sample, label, above], iou)
                places = above[kept[:most]]
                ids = torch.tensor([[sample, label]]).expand(len(places), 2)
                selected.append(torch.cat([ids, places[:, None]], dim=1))
        return torch.cat(selected)

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, most: int, iou: float, threshold: float) -> Any:
        return g.op(
            "NonMaxSuppression",
            boxes,
            scores,
            g.op("Constant", value_t=torch.tensor([most])),
            g.op("Constant", value_t=torch.tensor([iou], dtype=torch.float32)),
            g.op("Constant", value_t=torch.tensor([threshold], dtype=torch.float32)),
        )


def suppress(boxes: Tensor, scores: Tensor, most: int, iou: float, threshold: float) -> Tensor:
    """Greedy non-maximum suppression of each class by itself.

    Args:
        boxes: (B, N, 4) as x1, y1, x2, y2.
        scores: (B, C, N), of each box for each class.
        most: boxes kept of a class.
        iou: a box goes if its IoU with a kept one of its class is larger.
        threshold: a box whose score is not larger is not looked at.

    Returns:
        (K, 3): sample, class and number of the kept boxes; those of a class by falling score.
    """
    result: Any = _Suppression.apply(boxes, scores, most, iou, threshold)
    return result


class _Largest(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, most: int) -> tuple[Tensor, Tensor]:
        found = values.topk(min(most, len(values)))
        ctx.mark_non_differentiable(found.indices)
        return found.values, found.indices

    @staticmethod
    def symbolic(g: Any, values: Any, most: int) -> Any:
        limit = g.op("Constant", value_t=torch.tensor([most]))
        return g.op("TopK", values, g.op("Min", limit, g.op("Shape", values)), axis_i=0, outputs=2)


def largest(values: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The `most` largest of (N,), fewer where there are fewer: values and their places, falling."""
    result: Any = _Largest.apply(values, most)
    return result


class _RoiAlign(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, boxes: Tensor, size: int, stride: int) -> Tensor:
        return torchvision.ops.roi_align(features, [boxes], size, 1 / stride, 0, aligned=True)

    @staticmethod
    def symbolic(g: Any, features: Any, boxes: Any, size: int, stride: int) -> Any:
        zero = g.op("Constant", value_t=torch.tensor([0]))
        count = g.op(
            "Slice", g.op("Shape", boxes), zero, g.op("Constant", value_t=torch.tensor([1]))
        )
        image = g.op("Expand", zero, count)
        return g.op(
            "RoiAlign",
            features,
            boxes,
            image,
            coordinate_transformation_mode_s="half_pixel",
            mode_s="avg",
            output_height_i=size,
            output_width_i=size,
            sampling_ratio_i=0,
            spatial_scale_f=1 / stride,
        )


def roi_align(features: Tensor, boxes: Tensor, size: int, stride: int) -> Tensor:
    """RoIAlign (He et al. 2017) of one image, with as many samples a bin as it has pixels.

    Args:
        features: (1, C, H, W).
        boxes: (R, 4) in pixels of the image.
        size: bins along each side.
        stride: of the features, in pixels.

    Returns:
        (R, C, size, size).
    """
    result: Any = _RoiAlign.apply(features, boxes, size, stride)
    return result


class _DeformConv(Function):
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        offset: Tensor,
        stride: int,
        padding: int,
        dilation: int,
        groups: int,
    ) -> Tensor:
        # torchvision reads the groups off the shapes
        pairs: Any = [(each, each) for each in (stride, padding, dilation)]
        return torchvision.ops.deform_conv2d(input, offset, weight, None, *pairs)

    @staticmethod
    def symbolic(
        g: Any,
        input: Any,
        weight: Any,
        offset: Any,
        stride: int,
        padding: int,
        dilation: int,
        groups: int,
    ) -> Any:
        return g.op(
            "DeformConv",
            input,
            weight,
            offset,
            kernel_shape_i=weight.type().sizes()[2:],
            strides_i=[stride] * 2,
            pads_i=[padding] * 4,
            dilations_i=[dilation] * 2,
            group_i=groups,
            offset_group_i=1,
        )


def deform_conv(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    *,
    stride: int,
    padding: int,
    dilation: int,
    groups: int,
) -> Tensor:
    """Deformable convolution without modulation (Dai et al. 2017).

    Args:
        input: (N, C, H, W).
        weight: (O, C / groups, k, k).
        offset: (N, 2 k², H', W'): of each tap, y before x.
        stride: of both axes, as padding and dilation.
        padding: rows and columns of zeros on each side.
        dilation: pixels from tap to tap.
        groups: of channels.

    Returns:
        (N, O, H', W').
    """
    result: Any = _DeformConv.apply(input, weight, offset, stride, padding, dilation, groups)
    return result
