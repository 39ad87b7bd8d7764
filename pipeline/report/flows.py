"""Drawing blocks that follow each other, in lines with arrows between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.report.blocks import FOOT, HEIGHT, Drawn, arrow, draw_block

LEFT = 92.0
"""Where blocks begin, pixels; the names of the rows stand before."""
PER_LINE = 4
"""Blocks in a line; a stage of more takes several."""
SPACE = 16.0
"""Between blocks, where the arrows are."""
LINE = HEIGHT + FOOT + 14


@dataclass(frozen=True)
class Flow:
    """Blocks drawn one after the other, in lines.

    Attributes:
        parts: the SVG elements.
        right: right edge of the widest line.
        exit: where the output leaves, (x, y).
        entry: height at which the input enters.
        bottom: lowest point.
    """

    parts: list[str]
    right: float
    exit: tuple[float, float]
    entry: float
    bottom: float


def draw_flow(blocks: Sequence[Drawn], x: float, y: float) -> Flow:
    """Draw blocks in lines from (x, y), with an arrow before each."""
    parts: list[str] = []
    right = x
    start: tuple[float, float] | None = None
    position, top = x, y
    for number, drawn in enumerate(blocks):
        if number and number % PER_LINE == 0:
            assert start is not None
            gap = top + HEIGHT + FOOT + 5
            top += LINE
            middle = top + HEIGHT / 2
            parts.append(
                arrow(
                    start,
                    (start[0] + 7, start[1]),
                    (start[0] + 7, gap),
                    (x - 11, gap),
                    (x - 11, middle),
                    (x, middle),
                )
            )
            position = x
        elif start is not None:
            parts.append(arrow(start, (position, start[1])))
        parts.append(draw_block(drawn, position, top))
        start = (position + drawn.width, top + HEIGHT / 2)
        right = max(right, start[0])
        position = start[0] + SPACE
    assert start is not None
    return Flow(parts, right, start, y + HEIGHT / 2, top + HEIGHT + FOOT)
