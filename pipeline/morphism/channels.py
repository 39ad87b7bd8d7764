"""The action on channels: those with the smallest BN weights are removed (Joint-DetNAS, section 3.3).

As network slimming does, all channels of the backbone are ranked together by |γ|. Channels that are
coupled leave together, with what reads them, the laterals of the pyramid among it:

- Blocks that add to one another write the same channels; the largest of their |γ| counts, so a channel
  that any of them uses stays. So it is within a group of a ResNeXt, which leaves as a whole.
- A bottleneck has one inner width, before and behind its 3×3 convolution, so it loses a channel of
  each: the least important of one with the least important of the other, and so on.

No group of coupled channels loses more than half at once, and none its last. A block whose input passes
a 1×1 convolution because the widths differ must not come to equal widths: without that convolution
it would be another network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.morphism.errors import ActionError
from pipeline.morphism.shapes import Layer, stages_of, with_stages
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.backbones import ResidualBlock
from pipeline.search_space.coupling import ChannelGroup, Groups, coupled_channels
from pipeline.search_space.slicing import Weights, select_channels


@dataclass(frozen=True)
class _Unit:
    """Channels that leave together: one of each group that is named, `size` in all."""

    channels: Mapping[str, int]
    importance: float
    size: int


class _Widths:
    """How many channels each group of a backbone has while some are removed."""

    def __init__(self, architecture: Architecture) -> None:
        self.groups = prunable_channels(architecture)
        self.kept = {name: group.channels for name, group in self.groups.items()}
        # input and output of the blocks without stride whose widths differ
        self._apart: list[tuple[str, str]] = []
        for source, target, block in _trunk(architecture, self.groups):
            if block.stride == 1 and self.kept[source] != self.kept[target]:
                self._apart.append((source, target))

    def can_lose(self, names: tuple[str, ...]) -> bool:
        """Whether each of these groups may lose one more channel."""
        after = self.kept | {name: self.kept[name] - 1 for name in names}
        return all(2 * after[name] >= self.groups[name].channels for name in names) and all(
            after[source] != after[target] for source, target in self._apart
        )

    def lose(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.kept[name] -= 1


def prunable_channels(architecture: Architecture) -> Groups:
    """The channel groups of the backbone that pruning cuts, by name.

    Not a MobileNetV2's last convolution: no feature map shows it, so it has no gradient.
    """
    return {
        name: group
        for name, group in coupled_channels(architecture).items()
        if name.startswith(("stem", "stage"))
    }


def can_prune_channels(architecture: Architecture) -> bool:
    """Whether any channel may leave."""
    widths = _Widths(architecture)
    return any(widths.can_lose(names) for names in _together(widths.groups))


def prune_channels(
    architecture: Architecture, weights: Weights, percentage: float
) -> tuple[Architecture, dict[str, Tensor]]:
    """Remove a percentage of the backbone's channels (at least one), the least important ones.

    Coupled channels count once. Fewer are removed where half of every group is not enough.

    Raises:
        ActionError: no channel may leave.
    """
    widths = _Widths(architecture)
    wanted = percentage / 100 * sum(g.channels * g.span for g in widths.groups.values())
    gone: dict[str, list[int]] = {}
    removed = 0
    for unit in _ranked(weights, widths.groups):
        names = tuple(unit.channels)
        if removed and removed + unit.size > wanted:
            break
        if not widths.can_lose(names):
            continue
        widths.lose(names)
        removed += unit.size
        for name, channel in unit.channels.items():
            gone.setdefault(name, []).append(channel)
    if not removed:
        raise ActionError("no channel may leave: every group of channels has one left")
    selected = {
        name: torch.tensor(sorted(set(range(widths.groups[name].channels)) - set(channels)))
        for name, channels in gone.items()
    }
    pruned = select_channels(weights, coupled_channels(architecture), selected)
    return _narrowed(architecture, widths), pruned


def channel_importance(weights: Weights, group: ChannelGroup) -> Tensor:
    """The largest |γ| of the norms that write each channel of a group; (channels,)."""
    scales = [
        weights[use.tensor].detach().abs().view(group.channels, use.span).amax(1).cpu()
        for use in group.uses
        if use.dim == 0 and use.tensor.endswith(".weight") and weights[use.tensor].dim() == 1
    ]
    return torch.stack(scales).amax(0)


def _together(groups: Groups) -> list[tuple[str, ...]]:
    """Names of the groups that lose channels together: the two inner ones of a bottleneck."""
    together = []
    for name in groups:
        if not name.endswith(".inner2"):
            second = name.replace(".inner1", ".inner2")
            together.append((name, second) if second in groups and second != name else (name,))
    return together


def _ranked(weights: Weights, groups: Groups) -> list[_Unit]:
    """What can leave, the least important first."""
    units = []
    for names in _together(groups):
        orders = {
            name: channel_importance(weights, groups[name]).sort(stable=True) for name in names
        }
        size = sum(groups[name].span for name in names)
        for rank in range(groups[names[0]].channels):
            channels = {name: int(order.indices[rank]) for name, order in orders.items()}
            importance = max(float(order.values[rank]) for order in orders.values())
            units.append(_Unit(channels, importance, size))
    return sorted(units, key=lambda unit: unit.importance)


def _trunk(architecture: Architecture, groups: Groups) -> list[tuple[str, str, Layer]]:
    """Of each block the group that it reads, the group that it writes, and the block."""
    trunk = []
    current = "stem"
    for stage, blocks in enumerate(stages_of(architecture), 1):
        for number, block in enumerate(blocks, 1):
            name = f"stage{stage}.block{number}"
            source, current = current, name if name in groups else current
            trunk.append((source, current, block))
    return trunk


def _narrowed(architecture: Architecture, widths: _Widths) -> Architecture:
    """The architecture with the channels that are kept."""
    trunk = iter(_trunk(architecture, widths.groups))
    changed: dict[int, list[Layer]] = {}
    for stage, blocks in enumerate(stages_of(architecture), 1):
        changed[stage] = []
        for number in range(1, len(blocks) + 1):
            source, target, block = next(trunk)
            inner = f"stage{stage}.block{number}.inner1"
            update: dict[str, Any] = {"channels": widths.kept[target]}
            if inner not in widths.groups:
                update["mid_channels"] = widths.kept[source]
            else:
                update["mid_channels"] = widths.kept[inner] * widths.groups[inner].span
                if isinstance(block, ResidualBlock) and block.groups > 1:
                    update["groups"] = widths.kept[inner]
            changed[stage].append(block.model_copy(update=update))
    return with_stages(architecture, changed, stem_channels=widths.kept["stem"])
