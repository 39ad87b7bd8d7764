"""Anchors and boxes in tensor operations alone, which can be exported for any size of image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST_CHANGE = abs(math.log(16 / 1000))
"""Widths and heights change by at most this factor's logarithm, as in mmdet."""


def grid_anchors(base: Tensor, stride: int, rows: Tensor | int, columns: Tensor | int) -> Tensor:
    """Anchors of one level: the base anchors at every place of its map.

    Args:
        base: (A, 4) around the place (0, 0).
        stride: of the map, in pixels.
        rows: of the map.
        columns: of the map.

    Returns:
        (rows · columns · A, 4), in the order of the map's places, then of the base anchors.
    """
    down = (torch.arange(rows) * stride).to(base.dtype)[:, None]  # type: ignore[arg-type]
    right = (torch.arange(columns) * stride).to(base.dtype)[None, :]  # type: ignore[arg-type]
    down, right = down + 0 * right, right + 0 * down
    places = torch.stack([right, down, right, down], dim=-1).reshape(-1, 1, 4)
    return (places + base).reshape(-1, 4)


def decode(boxes: Tensor, deltas: Tensor, stds: Sequence[float], limits: Tensor) -> Tensor:
    """Boxes moved by what a network predicts (Girshick et al. 2014, eq. 1 to 4), clipped to the image.

    Args:
        boxes: (…, 4) as x1, y1, x2, y2, pixels.
        deltas: (…, 4): dx, dy in sides, dw, dh as logarithms, each divided by its `stds`.
        stds: four.
        limits: (4,): width, height, width, height of the image.

    Returns:
        (…, 4).
    """
    deltas = deltas * deltas.new_tensor(stds)
    sides = boxes[..., 2:] - boxes[..., :2]
    centres = (boxes[..., :2] + boxes[..., 2:]) * 0.5 + sides * deltas[..., :2]
    halves = sides * deltas[..., 2:].clamp(-LARGEST_CHANGE, LARGEST_CHANGE).exp() * 0.5
    moved = torch.cat([centres - halves, centres + halves], dim=-1)
    return torch.minimum(moved.clamp(min=0), limits)


def is_box(boxes: Tensor) -> Tensor:
    """Which of (N, 4) have an area: (N,) of bool."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
