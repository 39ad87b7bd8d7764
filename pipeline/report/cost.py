"""Section: parameters and computation of each component."""

from __future__ import annotations

from pipeline.config.evaluation import ReportConfig
from pipeline.report.inputs import Run
from pipeline.report.section import Section, paragraph
from pipeline.report.tables import Column, Table


def cost_section(run: Run, settings: ReportConfig) -> Section:
    """The cost table, as Tables 1 and 2 of the paper state it."""
    metrics = run.metrics
    parts = metrics.components
    rows = [(name, cost.params, cost.macs, cost.paper_flops) for name, cost in parts.items()]
    flops = sum(cost.paper_flops for cost in parts.values())
    rows.append(("total", metrics.params, metrics.macs, flops))
    table = Table(
        "cost",
        (
            Column("component", "component"),
            Column("parameters", "params", "scaled", bar=True),
            Column("MACs", "macs", "scaled", bar=True),
            Column("FLOPs, papers’ convention", "paper_flops", "scaled", bar=True),
        ),
        rows,
        total=True,
    )
    height, width = metrics.input_size
    intro = paragraph(
        "Of one image of {} × {} pixels (height × width){}. MACs are the "
        "multiply-accumulates of convolutions and linear layers; the papers’ “FLOPs” also count "
        "biases, normalisation and activations once or twice per element.",
        height,
        width,
        "" if metrics.proposals is None else f" with {metrics.proposals} proposals",
    )
    return Section("cost", "Cost", (intro, table))
