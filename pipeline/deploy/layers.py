"""Layers whose way of computing belongs to PyTorch, as layers that ONNX has."""

from __future__ import annotations

import copy
from typing import Any

from mmcv.ops import DeformConv2d, DeformConv2dPack, ModulatedDeformConv2d
from torch import Tensor, nn

from pipeline.deploy.operators import deform_conv
from pipeline.errors import DetSearchError
from pipeline.search_space.depthwise import DepthwiseConv2d


class ExportError(DetSearchError):
    """A detector cannot be written as ONNX, or computes something else there."""


class DeformableConvolution(nn.Module):
    """Mmcv's deformable convolution with the convolution that gives its offsets, as one node of ONNX."""

    def __init__(self, layer: DeformConv2dPack) -> None:
        super().__init__()
        self.weight, self.offset = layer.weight, layer.conv_offset
        self.geometry = {
            "stride": int(layer.stride[0]),
            "padding": int(layer.padding[0]),
            "dilation": int(layer.dilation[0]),
            "groups": int(layer.groups),
        }

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, O, H', W')."""
        return deform_conv(input, self.weight, self.offset(input), **self.geometry)


def exportable(model: nn.Module) -> Any:
    """A copy of a detector in eval mode that has no layer which only PyTorch can run.

    `DepthwiseConv2d` takes another way for each size of map: to ONNX it is a plain convolution.

    Raises:
        ExportError: it has modulated or otherwise unusual deformable convolutions.
    """
    model = copy.deepcopy(model).eval()
    for name, layer in [*model.named_modules()]:
        if isinstance(layer, DepthwiseConv2d):
            model.set_submodule(name, _plain(layer))
        elif isinstance(layer, DeformConv2dPack):
            if problem := _unusual(layer):
                raise ExportError(
                    f"{name} is a deformable convolution with {problem}: not supported"
                )
            model.set_submodule(name, DeformableConvolution(layer))
        elif isinstance(layer, DeformConv2d | ModulatedDeformConv2d):
            raise ExportError(
                f"{name} is a {type(layer).__name__}, which cannot be written as ONNX: only deformable "
                "convolutions without modulation can"
            )
    return model


def _plain(layer: DepthwiseConv2d) -> nn.Conv2d:
    convolution = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        layer.dilation,  # type: ignore[arg-type]
        layer.groups,
        bias=False,
    )
    convolution.weight = layer.weight
    return convolution


def _unusual(layer: Any) -> str | None:
    if layer.deform_groups != 1:
        return f"{layer.deform_groups} groups of offsets"
    for name in ("stride", "padding", "dilation"):
        first, second = getattr(layer, name)
        if first != second:
            return f"a {name} of {first} and {second}"
    return None
