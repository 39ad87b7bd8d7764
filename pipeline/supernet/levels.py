"""Blocks that all levels of a pyramid share, but for their batch normalisations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class LevelNorm(nn.Module):
    """A batch normalisation for each pyramid level, in a block whose other weights all levels share.

    Levels see objects of other sizes, and their statistics differ: of one normalisation for all, the
    running statistics would be those of no level.

    Attributes:
        levels: the normalisations, finest level first.
        level: the one to use, from 0.
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(levels))
        self.level = 0

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) of the present level, normalised."""
        return self.levels[self.level](input)


def share_by_levels(block: nn.Module, levels: int) -> nn.Module:
    """Give each batch normalisation of a block one for every level, in place; returns the block."""
    for parent in list(block.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, LevelNorm(child.num_features, levels))
    return block


def level_norms(module: nn.Module) -> list[LevelNorm]:
    """The normalisations of a block that are a level's own."""
    return [norm for norm in module.modules() if isinstance(norm, LevelNorm)]


def present_level(module: nn.Module) -> int:
    """The level that the module runs at; 0 where levels make no difference to it."""
    return next((norm.level for norm in level_norms(module)), 0)


@contextmanager
def at_level(module: nn.Module, level: int) -> Iterator[None]:
    """Let the module run at a level (from 0)."""
    norms = level_norms(module)
    before = [norm.level for norm in norms]
    for norm in norms:
        norm.level = level
    try:
        yield
    finally:
        for norm, former in zip(norms, before, strict=True):
            norm.level = former


def present_norms(module: nn.Module) -> list[_BatchNorm]:
    """The batch normalisations that a pass at the present level goes through."""
    others = {
        norm
        for levels in level_norms(module)
        for number, norm in enumerate(levels.levels)
        if number != levels.level
    }
    return [n for n in module.modules() if isinstance(n, _BatchNorm) and n not in others]
