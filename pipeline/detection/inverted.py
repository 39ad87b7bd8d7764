"""MobileNetV2 with any width in any block, as an mmdet module, with mmdet's parameter names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmdet.models.layers import InvertedResidual
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from pipeline.detection.residual import KAIMING

_LAYER: dict[str, Any] = {"norm_cfg": {"type": "BN"}, "act_cfg": {"type": "ReLU6"}}


@MODELS.register_module()
class InvertedBackbone(BaseModule):
    """A MobileNetV2 given block by block.

    Args:
        stem_channels: outputs of the 3×3 convolution of stride 2.
        stages: per stage a list of blocks with `operation` (`inverted`, or `depthwise` without the
            first 1×1), `channels`, `mid_channels` and `stride`.
        last_channels: outputs of the last 1×1 convolution, which no feature map shows.
        out_stages: positions of the stages that give the four feature maps.
    """

    def __init__(
        self,
        stem_channels: int,
        stages: Sequence[Sequence[dict[str, Any]]],
        last_channels: int,
        out_stages: Sequence[int],
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg or KAIMING)
        self.conv1 = ConvModule(3, stem_channels, 3, stride=2, padding=1, **_LAYER)
        channels = stem_channels
        self.names = [f"layer{number}" for number in range(1, len(stages) + 1)]
        for name, stage in zip(self.names, stages, strict=True):
            layers = nn.Sequential()
            for block in stage:
                layers.append(
                    InvertedResidual(
                        channels,
                        block["channels"],
                        block["mid_channels"],
                        stride=block["stride"],
                        with_expand_conv=block["operation"] == "inverted",
                        **_LAYER,
                    )
                )
                channels = block["channels"]
            self.add_module(name, layers)
        self.conv2 = ConvModule(channels, last_channels, 1, **_LAYER)
        self.out_stages = tuple(out_stages)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) → feature maps of strides 4, 8, 16 and 32."""
        features = self.conv1(images)
        outputs = []
        for number, name in enumerate(self.names):
            features = self.get_submodule(name)(features)
            if number in self.out_stages:
                outputs.append(features)
        # the papers count it, as mmdet runs it
        self.conv2(features)
        return tuple(outputs)
