"""VGG and the further levels of SSD as mmdet modules, of any width and for images of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import SSDHead
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from pipeline.search_space.cost import count_composite

SCALE = 20.0
"""What each channel of the normalised map is multiplied by at first."""


class PlaceNorm(nn.Module):
    """Each place's channels to length one, then each channel times a learnt factor (Liu et al. 2015)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), SCALE))

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape, in float32 inside."""
        unit = functional.normalize(input.float(), dim=1, eps=1e-10)
        return (unit * self.weight[:, None, None]).type_as(input)


# the papers' tool counts convolutions, linear layers, batch normalisation, ReLU and max pooling
count_composite(PlaceNorm, lambda module, input, output: (0, 0))


@MODELS.register_module()
class VggBackbone(BaseModule):
    """VGG with dilated convolutions in the place of its fully connected layers.

    Args:
        convs: channels of the convolutions of each of the five stages.
        fc_channels: of the two convolutions behind them.
    """

    def __init__(
        self, convs: Sequence[Sequence[int]], fc_channels: int, init_cfg: Any = None
    ) -> None:
        super().__init__(init_cfg or {"type": "Kaiming", "layer": "Conv2d"})
        channels = 3
        self.stages = nn.ModuleList()
        for number, widths in enumerate(convs):
            layers: list[nn.Module] = []
            if number:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            for width in widths:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            self.stages.append(nn.Sequential(*layers))
        self.last = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            nn.Conv2d(channels, fc_channels, 3, padding=6, dilation=6),
            nn.ReLU(inplace=True),
            nn.Conv2d(fc_channels, fc_channels, 1),
            nn.ReLU(inplace=True),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) → feature maps of strides 8 and 16."""
        features, outputs = images, []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        # the next stage's pooling makes a new map: what is handed out stays as it is
        return outputs[3], self.last(features)


class Fitting(nn.Conv2d):
    """A convolution that pads a map which is smaller than its kernel with further zeros."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', H', W'), at least 1 × 1."""
        padding, kernel = int(self.padding[0]), self.kernel_size[0]
        height, width = (max(kernel - 2 * padding - side, 0) for side in input.shape[-2:])
        return super().forward(functional.pad(input, (0, width, 0, height)))


@MODELS.register_module()
class SsdNeck(BaseModule):
    """SSD's further levels (see `SsdNeck` of the architecture format).

    Args:
        in_channels: of the backbone's two maps.
        channels: of each further level.
    """

    def __init__(
        self, in_channels: Sequence[int], channels: Sequence[int], init_cfg: Any = None
    ) -> None:
        super().__init__(
            init_cfg or {"type": "Xavier", "layer": "Conv2d", "distribution": "uniform"}
        )
        self.norm = PlaceNorm(in_channels[0])
        self.extra = nn.ModuleList()
        width = in_channels[-1]
        for number, wider in enumerate(channels, 1):
            last = number == len(channels)
            self.extra.append(
                nn.Sequential(
                    nn.Conv2d(width, wider // 2, 1),
                    nn.ReLU(inplace=True),
                    Fitting(wider // 2, wider, 4 if last else 3, 1 if last else 2, padding=1),
                    nn.ReLU(inplace=True),
                )
            )
            width = wider

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps of strides 8 and 16 → those of all levels, from the finest."""
        levels = [self.norm(inputs[0]), *inputs[1:]]
        for layers in self.extra:
            levels.append(layers(levels[-1]))
        return tuple(levels)


@MODELS.register_module()
class SsdHead(SSDHead):
    """Mmdet's, which looks for a softmax of its own in a loss that it does not have."""

    loss_cls = None
