"""Drawing a searched head: blocks on the features of RoIs, or two towers on every pyramid level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.report.blocks import HEIGHT, Drawn, arrow, fixed_box
from pipeline.report.flows import LEFT, SPACE, draw_flow
from pipeline.report.svg import GRID, MUTED, element, text
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.heads import BlockHead, Rpn, TowerHead

SEARCHED = (BlockHead, TowerHead)
"""Heads that can be drawn."""


@dataclass(frozen=True)
class Head:
    """A drawn head: the SVG elements, its right edge and its lowest point."""

    parts: list[str]
    right: float
    bottom: float


def draw_head(drawn: Sequence[Drawn], y: float, architecture: Architecture) -> Head:
    """Draw a network's head below `y`, from the pyramid levels to the outputs.

    Raises:
        ValueError: the head is not a searched one.
    """
    head, rpn, classes = architecture.head, architecture.rpn, architecture.classes
    if isinstance(head, TowerHead):
        return _towers(drawn, y, head, classes)
    if isinstance(head, BlockHead) and rpn is not None:
        return _roi_head(drawn, y, head, rpn, classes)
    raise ValueError(f"a head of type {head.type} cannot be drawn: it is not searched")


def _border(right: float, y: float) -> str:
    return element("line", x1=12, x2=right, y1=y - 26, y2=y - 26, stroke=GRID, stroke_width=1)


def _towers(drawn: Sequence[Drawn], y: float, head: TowerHead, classes: int) -> Head:
    """Both towers from the same levels, each with its last convolution and output."""
    anchors = head.scales_per_octave * len(head.anchor_ratios)
    depth = len(head.class_tower)
    parts: list[str] = []
    entries: list[float] = []
    right, top = LEFT, y
    for name, blocks, outputs in (
        ("class tower", drawn[:depth], f"{anchors} × {classes} class scores"),
        ("box tower", drawn[depth:], f"{anchors} × 4 box offsets"),
    ):
        flow = draw_flow(blocks, LEFT, top)
        end_x, end_y = flow.exit
        last = flow.right + SPACE
        output = last + 84 + SPACE
        parts += [
            text(LEFT, top - 8, name, 12, fill=MUTED, font_weight="bold"),
            *flow.parts,
            arrow((end_x, end_y), (last, end_y)),
            fixed_box(last, end_y - HEIGHT / 2, 84, ("conv 3×3", "each level")),
            arrow((last + 84, end_y), (output, end_y)),
            text(output + 6, end_y + 5, outputs, 11),
        ]
        entries.append(flow.entry)
        right = max(right, output + 170)
        top = flow.bottom + 34
    first, second = entries
    parts += [
        _border(right, y),
        text(12, first - 1, "N1–N5", 13, font_weight="bold"),
        arrow((68, first), (LEFT, first)),
        arrow((76, first), (76, second), (LEFT, second)),
    ]
    return Head(parts, right, top - 34)


def _roi_head(drawn: Sequence[Drawn], y: float, head: BlockHead, rpn: Rpn, classes: int) -> Head:
    """RPN, RoIAlign, the searched blocks and the two outputs."""
    middle = y + HEIGHT / 2
    align = LEFT + 84 + SPACE
    start = align + 84 + SPACE + 8
    flow = draw_flow(drawn, start, y)
    end_x, end_y = flow.exit
    fc = flow.right + SPACE
    output = fc + 66 + SPACE
    size = head.roi_size
    parts = [
        _border(output + 130, y),
        text(LEFT, y - 8, "proposals", 12, fill=MUTED, font_weight="bold"),
        text(start, y - 8, "head", 12, fill=MUTED, font_weight="bold"),
        text(12, middle - 1, "N1–N5", 13, font_weight="bold"),
        arrow((68, middle), (LEFT, middle)),
        fixed_box(LEFT, y, 84, ("RPN 3×3", f"{rpn.channels}")),
        arrow((LEFT + 84, middle), (align, middle)),
        fixed_box(align, y, 84, ("RoIAlign", f"{size}×{size}")),
        arrow((align + 84, middle), (start, middle)),
        *flow.parts,
        arrow((end_x, end_y), (fc, end_y)),
        fixed_box(fc, end_y - HEIGHT / 2, 66, ("fc", f"{head.fc_channels}")),
        arrow((fc + 66, end_y), (output, end_y)),
        text(output + 6, end_y - 2, f"{classes + 1} class scores", 11),
        text(output + 6, end_y + 13, f"{4 * classes} box offsets", 11),
    ]
    return Head(parts, output + 130, flow.bottom)
