"""ResNet and ResNeXt with any width in any block, as an mmdet module.

The parameters have the names of mmdet's (and torchvision's) ResNet: `conv1`, `layer2.0.bn1`,
`layer2.0.downsample.0`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import Scale
from mmcv.ops import DeformConv2d, DeformConv2dPack
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from pipeline.search_space.cost import convolution_cost, count_composite

KAIMING = [
    {"type": "Kaiming", "layer": "Conv2d"},
    {"type": "Constant", "val": 1, "layer": ["_BatchNorm"]},
]
"""How mmdet initialises its convolutional backbones."""

DEFORMABLE = 2
"""Number of the convolution that a deformable block replaces: a 3×3 in both kinds."""

# with or without the convolution that gives its offsets, which is counted by itself
count_composite(DeformConv2d, convolution_cost)
# a factor of FCOS's boxes, which the papers' tool passes over
count_composite(Scale, lambda module, input, output: (0, 0))


class ResidualLayer(nn.Module):
    """One block: `basic` or `bottleneck`, around which the input is added.

    Args:
        in_channels: of the input.
        block: `operation`, `channels`, `mid_channels`, `groups`, `stride` and (false by default)
            `deformable`, as the architecture format has them.
    """

    def __init__(self, in_channels: int, block: dict[str, Any]) -> None:
        super().__init__()
        channels, middle, stride = block["channels"], block["mid_channels"], block["stride"]
        # per convolution: input, output, kernel, stride, groups
        if block["operation"] == "basic":
            shapes = [(in_channels, middle, 3, stride, 1), (middle, channels, 3, 1, 1)]
        else:
            shapes = [
                (in_channels, middle, 1, 1, 1),
                (middle, middle, 3, stride, block["groups"]),
                (middle, channels, 1, 1, 1),
            ]
        self.depth = len(shapes)
        for number, (inputs, outputs, kernel, step, groups) in enumerate(shapes, 1):
            deformable = number == DEFORMABLE and block.get("deformable", False)
            kind: Any = DeformConv2dPack if deformable else nn.Conv2d
            convolution = kind(
                inputs, outputs, kernel, step, kernel // 2, groups=groups, bias=False
            )
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride > 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, channels, ceil(H / stride), ceil(W / stride))."""
        output = input
        for number in range(1, self.depth + 1):
            output = self.get_submodule(f"conv{number}")(output)
            output = self.get_submodule(f"bn{number}")(output)
            if number < self.depth:
                output = self.relu(output)
        shortcut = input if self.downsample is None else self.downsample(input)
        return self.relu(output + shortcut)


@MODELS.register_module()
class ResidualBackbone(BaseModule):
    """A ResNet given block by block.

    Args:
        stem_channels: outputs of the 7×7 convolution of stride 2.
        stages: per stage a list of blocks (see `ResidualLayer`).
    """

    def __init__(
        self,
        stem_channels: int,
        stages: Sequence[Sequence[dict[str, Any]]],
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg or KAIMING)
        self.conv1 = nn.Conv2d(3, stem_channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = stem_channels
        self.names = [f"layer{number}" for number in range(1, len(stages) + 1)]
        for name, stage in zip(self.names, stages, strict=True):
            layers = nn.Sequential()
            for block in stage:
                layers.append(ResidualLayer(channels, block))
                channels = block["channels"]
            self.add_module(name, layers)

    def init_weights(self) -> None:
        """Initialise as mmdet does: every block begins as its shortcut, samples where a plain one would."""
        super().init_weights()
        for layer in self.modules():
            if isinstance(layer, ResidualLayer):
                last = layer.get_submodule(f"bn{layer.depth}")
                assert isinstance(last, nn.BatchNorm2d)
                nn.init.zeros_(last.weight)
            if isinstance(layer, DeformConv2dPack):
                # mmengine has initialised its offsets as if they were weights
                layer.init_offset()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) → feature maps of strides 4, 8, 16 and 32."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        outputs = []
        for name in self.names:
            features = self.get_submodule(name)(features)
            outputs.append(features)
        return tuple(outputs)
