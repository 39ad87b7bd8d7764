"""Section: the searched architecture, layer by layer (Figure 5 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.config.evaluation import ReportConfig
from pipeline.report.blocks import (
    FOOT,
    HEIGHT,
    Drawn,
    arrow,
    box_width,
    draw_block,
    fixed_box,
    line,
    node,
    operation_box,
)
from pipeline.report.inputs import Run
from pipeline.report.section import Section, paragraph
from pipeline.report.svg import GRID, MUTED, Figure, document, element, text, text_width
from pipeline.report.tables import Column, Table
from pipeline.search_space.architecture import (
    COMPONENTS,
    STAGES,
    Architecture,
    BlockBackbone,
    BlockHead,
)
from pipeline.search_space.names import OperationSpec

LEFT = 92.0
"""Where blocks begin, pixels; the names of the rows stand before."""
PER_LINE = 4
"""Blocks in a line; a stage of more takes several."""
SPACE = 16.0
"""Between blocks, where the arrows are."""
LINE = HEIGHT + FOOT + 14
ROW_GAP = 22.0
"""Between rows, where the lines to the next stage run."""
KEY = (
    (("ir_k3_d1_e1", "ir_k3_d1_e3", "ir_k3_d1_e6"), "inverted residual (e: expansion)"),
    (("sep_k3_d1",), "separable"),
    (("conv_k3_d1", "conv_k5_d1", "conv_k7_d1"), "convolution (d: dilation)"),
)
"""Operations in the drawing's key, and what stands below them."""


def architecture_section(run: Run, settings: ReportConfig) -> Section:
    """The drawing, and the layers as a table file."""
    architecture = run.architecture
    margins = architecture.provenance.get("margins", {})
    drawing = draw_architecture(architecture, margins)
    rows = [
        (
            component,
            name,
            block.operation,
            block.channels,
            block.stride,
            margins.get(component, {}).get(name),
        )
        for component in COMPONENTS
        for name, block in architecture.blocks(component).items()
        if isinstance(block.operation, str)
    ]
    columns = ("component", "layer", "operation", "channels", "stride", "margin")
    table = Table("architecture", [Column(name, name) for name in columns], rows, hidden=True)
    intro = paragraph(
        "The operation with the highest probability in each layer. Boxes are as wide as their kernel; "
        "the colour tells the kind, its depth the expansion. Below a box stand its output channels "
        "(↓2: stride 2), and a line that is full where the search was certain and empty where the "
        "runner-up was as good. Dashed boxes are not searched."
    )
    return Section("architecture", "Searched architecture", (intro, drawing, table))


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


def draw_architecture(
    architecture: Architecture, margins: Mapping[str, Mapping[str, float]]
) -> Figure:
    """Draw a derived network: the finest level at the bottom, as pyramids are drawn.

    Args:
        architecture: the network.
        margins: by component and block, the probability's margin over the runner-up; may be empty.

    Raises:
        ValueError: a block still holds candidates, or the network is not a searched two-stage one.
    """
    backbone = architecture.backbone
    if not isinstance(backbone, BlockBackbone) or not isinstance(architecture.head, BlockHead):
        raise ValueError(
            "only a detector with a searched backbone and a searched head can be drawn"
        )
    drawn = {
        component: [
            Drawn(name, block, margins.get(component, {}).get(name))
            for name, block in architecture.blocks(component).items()
        ]
        for component in COMPONENTS
    }
    stages = _stages(architecture, drawn["backbone"])
    body: list[str] = [
        text(LEFT, 18, "backbone", 12, fill=MUTED, font_weight="bold"),
    ]
    flows: list[Flow] = []
    y = 34.0
    for stage in reversed(stages):
        flow = draw_flow(stage, LEFT, y)
        flows.insert(0, flow)
        y = flow.bottom + ROW_GAP
    stem_y = y
    bus = max(flow.right for flow in flows) + 16
    for level, flow in enumerate(flows, 1):
        body += flow.parts
        body += _row_name(f"C{level}", f"stride {2 ** (level + 1)}", flow.entry)
        source = flows[level - 2].exit if level > 1 else None
        if source is not None:
            body.append(_climb(source, bus, flow.bottom + ROW_GAP / 2 - 3, flow.entry))
    height, width = architecture.input_size
    stem = backbone.stem
    body += _row_name("stem", "stride 2", stem_y + HEIGHT / 2)
    body.append(fixed_box(LEFT, stem_y, 84, ("conv 3×3", f"{stem.channels} ↓2")))
    body.append(text(LEFT + 110, stem_y + 24, f"image {height} × {width} px", 11, fill=MUTED))
    body.append(
        _climb(
            (LEFT + 84, stem_y + HEIGHT / 2), LEFT + 98, stem_y - ROW_GAP / 2 - 3, flows[0].entry
        )
    )
    neck, right = _neck(drawn["neck"], bus, [flow.exit for flow in flows], architecture)
    body += neck
    head, head_right, bottom = _head(drawn["head"], stem_y + HEIGHT + 44, architecture)
    body += head
    legend, legend_right = _legend(bottom + 30)
    body += legend
    total = max(right, head_right, legend_right) + 12
    title = "The searched detector: backbone, neck and head, layer by layer"
    svg = document(total, bottom + 92, body, title)
    return Figure("architecture", svg, title, total, caption=False, scrolls=True)


def _stages(architecture: Architecture, drawn: Sequence[Drawn]) -> list[list[Drawn]]:
    rest = iter(drawn)
    return [[next(rest) for _ in stage] for stage in architecture.backbone.stages]


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


def _row_name(name: str, detail: str, middle: float) -> list[str]:
    return [
        text(12, middle - 1, name, 13, font_weight="bold"),
        text(12, middle + 13, detail, 10.5, fill=MUTED),
    ]


def _climb(source: tuple[float, float], bus: float, gap: float, entry: float) -> str:
    """From a stage's exit over the gap between the rows to the entry of the stage above."""
    x, y = source
    return arrow((x, y), (bus, y), (bus, gap), (LEFT - 18, gap), (LEFT - 18, entry), (LEFT, entry))


def _neck(
    drawn: Sequence[Drawn],
    bus: float,
    exits: Sequence[tuple[float, float]],
    architecture: Architecture,
) -> tuple[list[str], float]:
    """The two paths beside the stages; each level at the height where its stage's output leaves."""
    top_down, bottom_up = drawn[:STAGES], drawn[STAGES:]
    first = bus + 26
    first_sum = first + max(item.width for item in top_down) + 26
    second = first_sum + 26
    second_sum = second + max(item.width for item in bottom_up) + 26
    merge = second_sum + 22
    tap = merge + 46 + 10
    out = tap + 22
    parts = [
        text(first, 18, "neck: top-down", 12, fill=MUTED, font_weight="bold"),
        text(second, 18, "bottom-up", 12, fill=MUTED, font_weight="bold"),
    ]
    heights = [y for _, y in exits]
    for level, ((x, y), down, up) in enumerate(zip(exits, top_down, bottom_up, strict=True)):
        coarsest, finest = level == STAGES - 1, level == 0
        start = bus if not coarsest else x
        parts += [
            arrow((start, y), (first, y)) if not coarsest else arrow((x, y), (first, y)),
            draw_block(down, first, y - HEIGHT / 2),
            draw_block(up, second, y - HEIGHT / 2),
        ]
        after_down, after_up = first + down.width, second + up.width
        if coarsest:
            parts.append(arrow((after_down, y), (second, y)))
        else:
            parts += [
                arrow((after_down, y), (first_sum - 8, y)),
                node(first_sum, y),
                arrow((first_sum + 8, y), (second, y)),
            ]
            above = heights[level + 1] + (8 if level + 1 < STAGES - 1 else 0)
            parts.append(arrow((first_sum, above), (first_sum, y - 8)))
        if finest:
            parts.append(arrow((after_up, y), (out, y)))
        else:
            parts += [
                arrow((after_up, y), (second_sum - 8, y)),
                node(second_sum, y),
                arrow((second_sum + 8, y), (merge, y)),
                fixed_box(merge, y - HEIGHT / 2, 46, ("3×3", "merge")),
                arrow((merge + 46, y), (out, y)),
            ]
        if not coarsest:
            gap = y - HEIGHT / 2 - 14
            parts.append(
                arrow((tap, y), (tap, gap), (second_sum, gap), (second_sum, heights[level + 1] + 8))
            )
        parts += [
            text(out + 6, y - 1, f"N{level + 1}", 13, font_weight="bold"),
            text(out + 6, y + 13, f"stride {2 ** (level + 2)}", 10.5, fill=MUTED),
        ]
    top = heights[-1]
    parts += [
        line((tap, top), (tap, top - 36), (out - 6, top - 36)),
        arrow((tap, top - 36), (out, top - 36)),
        text(out + 6, top - 32, "N5", 13, font_weight="bold"),
        text(out + 30, top - 32, f"stride {2 ** (STAGES + 2)}", 10.5, fill=MUTED),
    ]
    return parts, out + 84


def _head(
    drawn: Sequence[Drawn], y: float, architecture: Architecture
) -> tuple[list[str], float, float]:
    """RPN, RoIAlign, the searched blocks and the two outputs; returns also right edge and bottom."""
    head, rpn, classes = architecture.head, architecture.rpn, architecture.classes
    assert isinstance(head, BlockHead) and rpn is not None, "draw_architecture has checked the head"
    middle = y + HEIGHT / 2
    align = LEFT + 84 + SPACE
    start = align + 84 + SPACE + 8
    flow = draw_flow(drawn, start, y)
    end_x, end_y = flow.exit
    fc = flow.right + SPACE
    output = fc + 66 + SPACE
    size = head.roi_size
    parts = [
        element("line", x1=12, x2=output + 130, y1=y - 26, y2=y - 26, stroke=GRID, stroke_width=1),
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
    return parts, output + 130, flow.bottom


def _legend(y: float) -> tuple[list[str], float]:
    """One box of each colour, and what it means."""
    parts = [text(12, y + 23, "key", 12, fill=MUTED, font_weight="bold")]
    x = right = LEFT
    for names, meaning in KEY:
        left = x
        for name in names:
            spec = OperationSpec.parse(name)
            details = f"e{spec.expansion} d{spec.dilation}" if spec.kind == "ir" else "d1"
            width = box_width(spec.kernel)
            parts.append(operation_box(spec, details, x, y, width))
            x += width + 6
        parts.append(text(left, y + HEIGHT + 16, meaning, 10.5, fill=MUTED))
        right = max(right, x, left + text_width(meaning, 10.5))
        x += 24
    return parts, right
