"""DetNAS's backbone of ShuffleNetV2 layers, as an mmdet module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from pipeline.detection.residual import KAIMING
from pipeline.search_space.depthwise import DepthwiseConv2d


def _pointwise(inputs: int, outputs: int, *, relu: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return [*layers, nn.ReLU(inplace=True)] if relu else layers


def _separable(
    inputs: int, outputs: int, kernel: int, stride: int, *, relu: bool
) -> list[nn.Module]:
    return [
        DepthwiseConv2d(inputs, kernel, stride, 1),
        nn.BatchNorm2d(inputs),
        *_pointwise(inputs, outputs, relu=relu),
    ]


class ShuffleLayer(nn.Module):
    """One block: `shuffle` or `xception`, beside what goes by.

    Args:
        in_channels: of the input.
        block: `operation`, `kernel`, `channels`, `mid_channels` and `stride`, as the architecture
            format has them.
    """

    def __init__(self, in_channels: int, block: dict[str, Any]) -> None:
        super().__init__()
        middle, kernel, stride = block["mid_channels"], block["kernel"], block["stride"]
        self.halves = stride == 1
        inputs = in_channels // 2 if self.halves else in_channels
        outputs = block["channels"] - inputs
        if block["operation"] == "shuffle":
            layers = [
                *_pointwise(inputs, middle, relu=True),
                *_separable(middle, outputs, kernel, stride, relu=True),
            ]
        else:
            layers = [
                *_separable(inputs, middle, kernel, stride, relu=True),
                *_separable(middle, middle, kernel, 1, relu=True),
                *_separable(middle, outputs, kernel, 1, relu=True),
            ]
        self.layers = nn.Sequential(*layers)
        beside = [] if self.halves else _separable(inputs, inputs, kernel, stride, relu=True)
        self.beside = nn.Sequential(*beside)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, channels, ceil(H / stride), ceil(W / stride))."""
        beside, through = (input[:, ::2], input[:, 1::2]) if self.halves else (input, input)
        return torch.cat([self.beside(beside), self.layers(through)], dim=1)


@MODELS.register_module()
class ShuffleBackbone(BaseModule):
    """DetNAS's backbone, given block by block.

    Args:
        stem: `channels` and `bias` of the 3×3 convolution of stride 2.
        stages: per stage a list of blocks (see `ShuffleLayer`).
        last_channels: outputs of a 1×1 convolution behind them; none where `None`.
    """

    def __init__(
        self,
        stem: dict[str, Any],
        stages: Sequence[Sequence[dict[str, Any]]],
        last_channels: int | None = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg or KAIMING)
        channels = stem["channels"]
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1, bias=stem["bias"]),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.ModuleList()
        for stage in stages:
            layers = nn.Sequential()
            for block in stage:
                layers.append(ShuffleLayer(channels, block))
                channels = block["channels"]
            self.stages.append(layers)
        self.last: nn.Module | None = None
        if last_channels is not None:
            self.last = nn.Sequential(
                nn.Conv2d(channels, last_channels, 1),
                nn.BatchNorm2d(last_channels),
                nn.ReLU(inplace=True),
            )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) → feature maps of strides 4, 8, 16 and 32."""
        features = self.stem(images)
        outputs = []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        if self.last is not None:
            outputs[-1] = self.last(features)
        return tuple(outputs)
