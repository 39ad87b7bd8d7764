"""Weights of a larger network that computes what one inside it does (Net2Net, Chen et al. 2016)."""

from __future__ import annotations

import re

from torch import Tensor

from pipeline.search_space.architecture import Architecture
from pipeline.search_space.coupling import READ
from pipeline.search_space.slicing import Weights, active_lengths, dropped_blocks

LAST_NORM = re.compile(r"bn(\d)\.weight$")


def grown_weights(
    weights: Weights, source: Architecture, start: Weights, target: Architecture
) -> dict[str, Tensor]:
    """The first channels and blocks of a larger network from a smaller one; the rest is fresh and unheard.

    What the smaller network's channels read of the others has weight zero, and so has the last norm of
    a block that only the larger one has: it adds nothing to its input, which lies behind a ReLU.

    Args:
        weights: state dict of the detector that the builder makes of `source`.
        source: the smaller network, a ResNet with FPN.
        start: state dict of a newly initialised detector of `target`.
        target: the larger network.

    Returns:
        A state dict of `target`, in memory of its own. `slicing.slice_weights` takes `weights` out of
        it again.

    Raises:
        ValueError: `source` does not lie inside `target`.
    """
    lengths = active_lengths(target, source)
    extra = tuple(dropped_blocks(target, source))
    grown = {name: value.clone() for name, value in start.items()}
    for name in grown.keys() ^ weights.keys():
        if name in weights or not name.startswith(extra):
            raise ValueError(f"only one of the networks has {name}")
    for name, value in weights.items():
        inside = [slice(lengths.get((name, dim))) for dim in range(value.ndim)]
        if grown[name][tuple(inside)].shape != value.shape:
            raise ValueError(
                f"{name} of the smaller network is {[*value.shape]}, of the larger {[*grown[name].shape]}"
            )
        if (name, READ) in lengths:
            grown[name][inside[0]] = 0
        grown[name][tuple(inside)] = value.to(grown[name])
    for block in extra:
        norms = [name for name in grown if name.startswith(block) and LAST_NORM.search(name)]
        grown[max(norms)].zero_()
    return grown
