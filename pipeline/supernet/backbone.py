"""The searched backbone as an mmdet module: supernet and derived network alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from pipeline.supernet.choice import build_block


@MODELS.register_module()
class BlockBackbone(BaseModule):
    """3×3 stem of stride 2, then four stages of blocks (Hit-Detector, section 3.3).

    Args:
        stem: `channels` and `bias` of the first convolution.
        stages: per stage a list of blocks, each a dict with `operation` (a name, or a list of
            candidates), `channels` and `stride`.
    """

    def __init__(
        self,
        stem: dict[str, Any],
        stages: Sequence[Sequence[dict[str, Any]]],
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        channels = stem["channels"]
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1, bias=stem["bias"]),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.ModuleList()
        for stage in stages:
            blocks = nn.Sequential()
            for number, block in enumerate(stage, 1):
                blocks.add_module(
                    f"block{number}",
                    build_block(block["operation"], channels, block["channels"], block["stride"]),
                )
                channels = block["channels"]
            self.stages.append(blocks)
        self.out_channels = tuple(stage[-1]["channels"] for stage in stages)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) → feature maps of strides 4, 8, 16 and 32."""
        features = self.stem(images)
        outputs = []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        return tuple(outputs)
