"""Weights of smaller networks out of those of a larger one, and channels sorted by importance.

Nothing here knows modules: a state dict goes in with its channel groups, another comes out.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.search_space.architecture import Architecture, ResNetBackbone
from pipeline.search_space.coupling import READ, ChannelGroup, Groups, coupled_channels

Weights = Mapping[str, Tensor]


def slice_weights(
    weights: Weights, source: Architecture, target: Architecture
) -> dict[str, Tensor]:
    """The weights of a network inside another: its first blocks, and the first channels of each group.

    Args:
        weights: state dict of the detector that the builder makes of `source`.
        source: the larger network.
        target: the smaller one, of as many blocks or fewer in each stage.

    Returns:
        The state dict of `target`'s detector, in memory of its own.

    Raises:
        ValueError: `target` does not lie inside `source`.
    """
    gone = tuple(dropped_blocks(source, target))
    views = {name: value for name, value in weights.items() if not name.startswith(gone)}
    for (tensor, dim), length in active_lengths(source, target).items():
        views[tensor] = views[tensor].narrow(dim, 0, length)
    return {name: view.clone(memory_format=torch.contiguous_format) for name, view in views.items()}


def dropped_blocks(source: Architecture, target: Architecture) -> list[str]:
    """Prefixes of the tensors of the blocks that only `source` has: all but a stage's first ones."""
    assert isinstance(source.backbone, ResNetBackbone)
    assert isinstance(target.backbone, ResNetBackbone)
    stages = zip(source.backbone.stages, target.backbone.stages, strict=True)
    return [
        f"backbone.layer{stage}.{block}."
        for stage, (larger, smaller) in enumerate(stages, 1)
        for block in range(len(smaller), len(larger))
    ]


def active_lengths(source: Architecture, target: Architecture) -> dict[tuple[str, int], int]:
    """By tensor of `source` and dimension, the length that `target` uses, where they are coupled.

    Raises:
        ValueError: `target` does not lie inside `source`.
    """
    larger, smaller = coupled_channels(source), coupled_channels(target)
    lengths = {}
    for name, group in smaller.items():
        whole = larger.get(name)
        if whole is None or group.channels > whole.channels or group.span != whole.span:
            raise ValueError(
                f"{name} of the smaller network, {group.channels} channels, is no part of the larger"
            )
        lengths |= {(use.tensor, use.dim): group.channels * use.span for use in group.uses}
    return lengths


def select_channels(
    weights: Weights, groups: Groups, selected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights with other channels in some groups: the same ones permuted, or fewer of them.

    Permuted, the network stays the same function.

    Args:
        weights: a detector's state dict.
        groups: its channel groups.
        selected: by name of a group, integers: which channel comes at each place.
    """
    result = dict(weights)
    for name, channels in selected.items():
        for use in groups[name].uses:
            tensor = result[use.tensor]
            entries = channels.to(tensor.device)[:, None] * use.span
            entries = entries + torch.arange(use.span, device=tensor.device)
            result[use.tensor] = tensor.index_select(use.dim, entries.flatten())
    return result


def importance(weights: Weights, group: ChannelGroup) -> Tensor:
    """L1 norm of the weights that read each channel, over all layers that read it; (channels,).

    As once-for-all (Cai et al. 2020) ranks a channel by the layer behind it: what writes a channel
    is normalised afterwards, what reads it says how much the network makes of it.
    """
    total = torch.zeros(group.channels, dtype=torch.float64)
    for use in group.uses:
        if use.dim == READ:
            tensor = weights[use.tensor].detach().transpose(0, READ).flatten(1)
            norms = tensor.abs().sum(1, dtype=torch.float64)
            total += norms.view(group.channels, use.span).sum(1).cpu()
    return total


def sort_channels(weights: Weights, groups: Groups) -> dict[str, Tensor]:
    """The same function with the channels of every group in falling order of importance.

    A narrower network takes a group's first channels, so it inherits the important ones.
    """
    orders = {
        name: importance(weights, group).argsort(descending=True, stable=True)
        for name, group in groups.items()
    }
    return select_channels(weights, groups, orders)
