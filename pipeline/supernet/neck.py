"""The searched neck as an mmdet module: top-down and bottom-up paths with searched laterals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from pipeline.supernet.choice import build_block


class Subsample(nn.Module):
    """Every second row and column; free in the cost model."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, ceil(H / 2), ceil(W / 2))."""
        return functional.max_pool2d(input, 1, stride=2)


@MODELS.register_module()
class PathNeck(BaseModule):
    """Top-down and bottom-up path augmentation around 4 + 4 searched laterals (Hit-Detector, section 3.3).

    P_i = lateral(C_i) + upsampled P_{i+1}; N_1 = lateral(P_1), and
    N_{i+1} = conv3×3(maxpool2×2(N_i) + lateral(P_{i+1})); each further level is made of the one before.

    Args:
        in_channels: channels of the backbone's four feature maps.
        top_down: blocks before the top-down path, finest level first.
        bottom_up: blocks after it.
        first_stage: backbone stage (from 1) of the finest level; 2 makes it 3 + 3 laterals.
        levels: in total.
        extra: further levels by subsampling (`pool`), or by a 3×3 convolution of stride 2
            (`convolution`).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        top_down: Sequence[dict[str, Any]],
        bottom_up: Sequence[dict[str, Any]],
        first_stage: int = 1,
        levels: int = 5,
        extra: str = "pool",
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        channels = top_down[0]["channels"]
        self.unused = first_stage - 1
        self.top_down = nn.ModuleList(
            build_block(block["operation"], width, channels)
            for block, width in zip(top_down, in_channels[self.unused :], strict=True)
        )
        self.bottom_up = nn.ModuleList(
            build_block(block["operation"], channels, channels) for block in bottom_up
        )
        self.merge = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in self.bottom_up[1:]
        )
        further = range(levels - len(bottom_up))
        self.extra = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, stride=2, padding=1)
            if extra == "convolution"
            else Subsample()
            for _ in further
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """C_1 … C_4 (N, C, H, W), strides 4 to 32 → N_1 … N_5, strides 4 to 64 (from stage 2: 8 to 128)."""
        levels = [
            lateral(feature)
            for lateral, feature in zip(self.top_down, inputs[self.unused :], strict=True)
        ]
        for level in range(len(levels) - 1, 0, -1):
            levels[level - 1] = levels[level - 1] + functional.interpolate(
                levels[level], size=levels[level - 1].shape[-2:], mode="nearest"
            )
        levels = [lateral(level) for lateral, level in zip(self.bottom_up, levels, strict=True)]
        for number, merge in enumerate(self.merge):
            # ceil_mode: an odd map's last row and column still reach the coarser level
            finer = functional.max_pool2d(levels[number], 2, ceil_mode=True)
            levels[number + 1] = merge(finer + levels[number + 1])
        for further in self.extra:
            levels.append(further(levels[-1]))
        return tuple(levels)
