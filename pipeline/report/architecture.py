"""Section: the searched architecture, layer by layer (Figure 5 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config.evaluation import ReportConfig
from pipeline.report.blocks import (
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
from pipeline.report.flows import LEFT, Flow, draw_flow
from pipeline.report.heads import SEARCHED, draw_head
from pipeline.report.inputs import Run
from pipeline.report.section import Section, paragraph
from pipeline.report.svg import MUTED, Figure, document, text, text_width
from pipeline.report.tables import Column, Table
from pipeline.search_space.architecture import (
    COMPONENTS,
    STAGES,
    Architecture,
    BlockBackbone,
    Neck,
)
from pipeline.search_space.names import OperationSpec

ROW_GAP = 22.0
"""Between rows, where the lines to the next stage run."""
LEVEL_GAP = 36.0
"""Between pyramid levels beyond the backbone's stages."""
KEY = (
    (("ir_k3_d1_e1", "ir_k3_d1_e3", "ir_k3_d1_e6"), "inverted residual (e: expansion)"),
    (("sep_k3_d1",), "separable"),
    (("conv_k3_d1", "conv_k5_d1"), "convolution (d: dilation)"),
)
"""Operations in the drawing's key, and what stands below them."""


def architecture_section(run: Run, settings: ReportConfig) -> Section:
    """The drawing, and the layers as a table file."""
    architecture = run.architecture
    margins = architecture.provenance.get("margins", {})
    candidates = [name for scored in run.scores.components.values() for name in scored.operations]
    drawing = draw_architecture(architecture, margins, candidates)
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
        "The operation that was chosen in each layer. Boxes are as wide as their kernel; "
        "the colour tells the kind, its depth the expansion. Below a box stand its output channels "
        "(↓2: stride 2), and a line that is full where the search was certain and empty where the "
        "runner-up was as good. Dashed boxes are not searched."
    )
    return Section("architecture", "Searched architecture", (intro, drawing, table))


def draw_architecture(
    architecture: Architecture,
    margins: Mapping[str, Mapping[str, float]],
    candidates: Sequence[str] | None = None,
) -> Figure:
    """Draw a derived network: the finest level at the bottom, as pyramids are drawn.

    Args:
        architecture: the network.
        margins: by component and block, the probability's margin over the runner-up; may be empty.
        candidates: operations that were searched, which the key explains; those of the network where None.

    Raises:
        ValueError: a block still holds candidates, or the network is not a searched one.
    """
    backbone = architecture.backbone
    if not isinstance(backbone, BlockBackbone) or not isinstance(architecture.head, SEARCHED):
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
    # one further level has room above the coarsest stage
    further = len(architecture.neck.strides) - len(drawn["neck"]) // 2
    top = 18.0 + LEVEL_GAP * (further - 1)
    body: list[str] = [
        text(LEFT, top, "backbone", 12, fill=MUTED, font_weight="bold"),
    ]
    flows: list[Flow] = []
    y = top + 16
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
    neck, right = _neck(drawn["neck"], bus, top, [flow.exit for flow in flows], architecture.neck)
    body += neck
    head = draw_head(drawn["head"], stem_y + HEIGHT + 44, architecture)
    body += head.parts
    if candidates is None:
        candidates = [block.operation for blocks in drawn.values() for block in blocks]
    legend, legend_right = _legend(head.bottom + 30, candidates)
    body += legend
    total = max(right, head.right, legend_right) + 12
    title = "The searched detector: backbone, neck and head, layer by layer"
    svg = document(total, head.bottom + 92, body, title)
    return Figure("architecture", svg, title, total, caption=False, scrolls=True)


def _stages(architecture: Architecture, drawn: Sequence[Drawn]) -> list[list[Drawn]]:
    assert isinstance(architecture.backbone, BlockBackbone)
    rest = iter(drawn)
    return [[next(rest) for _ in stage] for stage in architecture.backbone.stages]


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
    title: float,
    exits: Sequence[tuple[float, float]],
    neck: Neck,
) -> tuple[list[str], float]:
    """The two paths beside the stages; each level at the height where its stage's output leaves."""
    stages = len(drawn) // 2
    top_down, bottom_up = drawn[:stages], drawn[stages:]
    # a pyramid that begins at a later stage leaves the finer maps alone
    exits = exits[STAGES - stages :]
    first = bus + 26
    first_sum = first + max(item.width for item in top_down) + 26
    second = first_sum + 26
    second_sum = second + max(item.width for item in bottom_up) + 26
    merge = second_sum + 22
    tap = merge + 46 + 10
    out = tap + 22
    parts = [
        text(first, title, "neck: top-down", 12, fill=MUTED, font_weight="bold"),
        text(second, title, "bottom-up", 12, fill=MUTED, font_weight="bold"),
    ]
    heights = [y for _, y in exits]
    for level, ((x, y), down, up) in enumerate(zip(exits, top_down, bottom_up, strict=True)):
        coarsest, finest = level == stages - 1, level == 0
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
            above = heights[level + 1] + (8 if level + 1 < stages - 1 else 0)
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
            text(out + 6, y + 13, f"stride {neck.strides[level]}", 10.5, fill=MUTED),
        ]
    y = heights[-1]
    for level in range(stages, len(neck.strides)):
        # each further level is made of the one below
        parts += [
            line((tap, y), (tap, y - LEVEL_GAP), (out - 6, y - LEVEL_GAP)),
            arrow((tap, y - LEVEL_GAP), (out, y - LEVEL_GAP)),
            text(out + 6, y - LEVEL_GAP + 4, f"N{level + 1}", 13, font_weight="bold"),
            text(out + 30, y - LEVEL_GAP + 4, f"stride {neck.strides[level]}", 10.5, fill=MUTED),
        ]
        y -= LEVEL_GAP
    return parts, out + 84


def _look(name: str) -> tuple[object, ...]:
    """What tells an operation's box from others: its colour's depth, or its width."""
    spec = OperationSpec.parse(name)
    return (spec.kind, {"ir": spec.expansion, "conv": spec.kernel}.get(spec.kind))


def _legend(y: float, candidates: Sequence[str]) -> tuple[list[str], float]:
    """One box of each colour or width that a candidate has, and what it means."""
    looks = {_look(name) for name in candidates}
    parts = [text(12, y + 23, "key", 12, fill=MUTED, font_weight="bold")]
    x = right = LEFT
    for names, meaning in KEY:
        left = x
        shown = [name for name in names if _look(name) in looks]
        if not shown:
            continue
        for name in shown:
            spec = OperationSpec.parse(name)
            details = f"e{spec.expansion} d{spec.dilation}" if spec.kind == "ir" else "d1"
            width = box_width(spec.kernel)
            parts.append(operation_box(spec, details, x, y, width))
            x += width + 6
        parts.append(text(left, y + HEIGHT + 16, meaning, 10.5, fill=MUTED))
        right = max(right, x, left + text_width(meaning, 10.5))
        x += 24
    return parts, right
