"""The weights of a layer at another place: sliced, padded, or fresh.

A convolution's weight is seen with its rows (what it writes) and columns (what it reads) split into
axes: the inner channels of a layer are groups times the width of a group, so that a slice holds whole
groups. Rows and columns that both networks have are inherited. An inherited row is padded with zeros
where it reads more than before, so it computes what it did; a new row is fresh, so it can learn. What
a new row of the last convolution writes is added to the trunk, so its norm begins at zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from pipeline.morphism.shapes import Layer
from pipeline.search_space.backbones import ResidualBlock

BATCHES = "num_batches_tracked"
"""A norm's count of batches, which no channel has."""

LayerWeights = Mapping[str, Tensor]
"""Tensors of one layer, by their names in it: `conv1.weight`, `bn1.running_mean`."""


@dataclass(frozen=True)
class Convolution:
    """A convolution of a layer that adds to its input, and the norm behind it."""

    name: str
    norm: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    kernel: int
    last: bool

    @property
    def axes(self) -> tuple[int, ...]:
        """Shape of its weight with rows and columns split."""
        return (*self.rows, *self.columns, self.kernel, self.kernel)


def convolutions(layer: Layer) -> list[Convolution]:
    """The convolutions of a layer that adds to its input, in the order in which data flows."""
    outer = (layer.channels,)
    if isinstance(layer, ResidualBlock):
        width = layer.mid_channels // layer.groups
        inner = (layer.groups, width)
        if layer.operation == "basic":
            shapes = [(inner, outer, 3), (outer, inner, 3)]
        else:
            shapes = [(inner, outer, 1), (inner, (width,), 3), (outer, inner, 1)]
        names = [(f"conv{number}", f"bn{number}") for number in range(1, len(shapes) + 1)]
    else:
        inner = (layer.mid_channels,)
        shapes = [(inner, outer, 1), (inner, (1,), 3), (outer, inner, 1)]
        modules = ["expand_conv", "depthwise_conv", "linear_conv"]
        if layer.operation == "depthwise":
            shapes, modules = shapes[1:], modules[1:]
        names = [(f"{module}.conv", f"{module}.bn") for module in modules]
    return [
        Convolution(*name, *shape, last=number == len(shapes))
        for number, (name, shape) in enumerate(zip(names, shapes, strict=True), 1)
    ]


def fresh_layer(layer: Layer, like: Tensor, seed: int) -> dict[str, Tensor]:
    """Weights of a layer that adds nothing yet: its last norm is zero.

    The convolutions are initialised as mmdet's are (Kaiming, fan out).

    Args:
        layer: it adds to its input.
        like: has the type and device that the weights get.
        seed: of the convolutions' weights.
    """
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, Tensor] = {}
    for convolution in convolutions(layer):
        weights[f"{convolution.name}.weight"] = _fresh(convolution, generator).to(like)
        for part, start in _norm_start(convolution).items():
            rows = prod(convolution.rows)
            weights[f"{convolution.norm}.{part}"] = torch.full((rows,), start).to(like)
        weights[f"{convolution.norm}.{BATCHES}"] = torch.zeros((), dtype=torch.long).to(like.device)
    return weights


def resized_layer(
    source: Layer, target: Layer, weights: LayerWeights, seed: int
) -> dict[str, Tensor]:
    """The weights of a layer of the same kind with other widths: sliced, or padded.

    Args:
        source: a layer that adds to its input.
        target: one with the same operation.
        weights: those of `source`.
        seed: of the fresh rows' weights.
    """
    like = weights[f"{convolutions(source)[0].name}.weight"]
    resized = fresh_layer(target, like, seed)
    for old, new in zip(convolutions(source), convolutions(target), strict=True):
        rows = _common(old.rows, new.rows)
        both = (*rows, *_common(old.columns, new.columns))
        weight = resized[f"{new.name}.weight"].view(new.axes)
        weight[rows] = 0
        weight[both] = weights[f"{old.name}.weight"].detach().reshape(old.axes)[both]
        for part in _norm_start(new):
            vector = resized[f"{new.norm}.{part}"].view(new.rows)
            vector[rows] = weights[f"{old.norm}.{part}"].detach().reshape(old.rows)[rows]
        batches = weights[f"{old.norm}.{BATCHES}"]
        resized[f"{new.norm}.{BATCHES}"] = batches.clone()
    return resized


def _fresh(convolution: Convolution, generator: torch.Generator) -> Tensor:
    weight = torch.empty(
        prod(convolution.rows), prod(convolution.columns), convolution.kernel, convolution.kernel
    )
    return nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu", generator=generator)


def _norm_start(convolution: Convolution) -> dict[str, float]:
    """How a norm's tensors begin."""
    scale = 0.0 if convolution.last else 1.0
    return {"weight": scale, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}


def _common(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[slice, ...]:
    """The entries of each axis that both have."""
    return tuple(slice(min(pair)) for pair in zip(old, new, strict=True))
