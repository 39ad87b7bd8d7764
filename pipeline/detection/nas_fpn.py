"""NAS-FPN's neck as an mmdet module, for any list of merging cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional


def resized(features: Tensor, halvings: int, like: Tensor) -> Tensor:
    """A map in the size of another level: nearest neighbours to a finer one, max pooling to a coarser one.

    Args:
        features: (N, C, H, W).
        halvings: levels from this one to the other; negative to a finer one.
        like: a map of the other level.
    """
    if halvings == 0:
        return features
    if halvings < 0:
        return functional.interpolate(features, size=like.shape[-2:], mode="nearest")
    # ceil_mode: the last rows of an odd map still reach the coarser level
    return functional.max_pool2d(features, 2**halvings, ceil_mode=True)


class Cell(nn.Module):
    """One merging cell (see `MergingCell` of the architecture format).

    Args:
        channels: of every map.
        cell: as the architecture format has it.
        levels: of the maps in the list that `cell["inputs"]` points to.
    """

    def __init__(self, channels: int, cell: dict[str, Any], levels: Sequence[int]) -> None:
        super().__init__()
        self.operation: str = cell["operation"]
        self.inputs: list[int] = list(cell["inputs"])
        self.level: int = cell["level"]
        self.halvings = [self.level - levels[place] for place in self.inputs]
        layers = [
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        ]
        self.layers = nn.Sequential(*layers if cell["convolution"] else ())

    def forward(self, maps: Sequence[Tensor], like: Tensor) -> Tensor:
        """All maps so far (N, C, …) → one in the size of `like`."""
        first, second = (
            resized(maps[place], halvings, like)
            for place, halvings in zip(self.inputs, self.halvings, strict=True)
        )
        if self.operation == "attention":
            first = first * second.mean((2, 3), keepdim=True).sigmoid()
        return self.layers(first + second)


@MODELS.register_module()
class NasFpnNeck(BaseModule):
    """Laterals, and stacks of merging cells (Ghiasi et al. 2019).

    Args:
        in_channels: channels of the backbone's four feature maps.
        channels: of every level.
        first_stage: backbone stage (from 1) of the finest level.
        levels: in total; those beyond the backbone's are poolings of its last map.
        stacks: times that the cells stand behind one another.
        cells: of one stack (see `MergingCell` of the architecture format).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        first_stage: int,
        levels: int,
        stacks: int,
        cells: Sequence[dict[str, Any]],
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg or {"type": "Caffe2Xavier", "layer": "Conv2d"})
        used = list(in_channels[first_stage - 1 :])
        self.unused = first_stage - 1
        self.pools = nn.ModuleList(
            nn.MaxPool2d(2, ceil_mode=True) for _ in range(levels - len(used))
        )
        widths = used + [used[-1]] * len(self.pools)
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        places = [*range(levels), *(cell["level"] for cell in cells)]
        self.stacks = nn.ModuleList(
            nn.ModuleList(Cell(channels, cell, places) for cell in cells) for _ in range(stacks)
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """C_1 … C_4 (N, C, H, W), strides 4 to 32 → the levels, from the finest."""
        maps = list(inputs[self.unused :])
        for pool in self.pools:
            maps.append(pool(maps[-1]))
        levels = [lateral(features) for lateral, features in zip(self.laterals, maps, strict=True)]
        stack: Any
        for stack in self.stacks:
            merged = list(levels)
            for cell in stack:
                merged.append(cell(merged, levels[cell.level]))
                levels[cell.level] = merged[-1]
        return tuple(levels)
