"""Section: what the search believed, layers by operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import digits

from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from pipeline.config.evaluation import ReportConfig
from pipeline.report.charts import chart
from pipeline.report.inputs import ComponentScores, Run
from pipeline.report.section import Group, Section, paragraph
from pipeline.report.svg import COMPONENT_COLOURS, GRID, INK, MUTED, Figure
from pipeline.report.tables import Column, Table
from pipeline.search_space.architecture import COMPONENTS

CELL = (0.30, 0.225)
"""Width and height of a cell, inches."""
LEFT, TOP, RIGHT, BOTTOM = 0.93, 0.88, 0.24, 0.06
"""Room for the names of layers and operations, inches."""


def heatmaps_section(run: Run, settings: ReportConfig) -> Section:
    """One heat map per component, and all probabilities as a table file."""
    components = [component for component in COMPONENTS if component in run.scores.components]
    figures = tuple(
        heat_map(
            component,
            run.scores.components[component],
            {
                name: str(block.operation)
                for name, block in run.architecture.blocks(component).items()
            },
        )
        for component in components
    )
    columns = ("component", "layer", "operation", "probability")
    rows = [
        (component, layer.name, operation, probability)
        for component in components
        for layer in run.scores.components[component].layers
        for operation, probability in zip(
            run.scores.components[component].operations, layer.probabilities, strict=True
        )
    ]
    table = Table("probabilities", [Column(name, name) for name in columns], rows, hidden=True)
    what = (
        "Share of the best tenth of the scored paths that has the operation, in percent, for each layer. "
        "The framed operation is that of the best path, which was chosen."
        if run.scores_paths
        else "Probability of each operation in each layer at the end of the search, in percent: the "
        "softmax of α, β and γ. The framed operation was chosen: the highest, or with a budget the most "
        "probable ones together that keep it."
    )
    intro = paragraph("{}", what)
    return Section("probabilities", "Search probabilities", (intro, Group(figures), table))


def heat_map(component: str, scores: ComponentScores, chosen_in: Mapping[str, str]) -> Figure:
    """Draw layers × operations; the deeper the colour the more probable, on one scale for all.

    Args:
        component: whose.
        scores: its layers.
        chosen_in: by layer, the operation that is framed.
    """
    rows, columns = len(scores.layers), len(scores.operations)
    width = LEFT + columns * CELL[0] + RIGHT
    height = TOP + rows * CELL[1] + BOTTOM

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_axes(
            (
                LEFT / width,
                BOTTOM / height,
                columns * CELL[0] / width,
                rows * CELL[1] / height,
            )
        )
        axes.set(xlim=(0, columns), ylim=(rows, 0))
        axes.grid(visible=False)
        for row, layer in enumerate(scores.layers):
            chosen = scores.operations.index(chosen_in[layer.name])
            for column, probability in enumerate(layer.probabilities):
                depth = 0.85 * probability**0.7
                axes.add_patch(
                    Rectangle(
                        (column, row),
                        1,
                        1,
                        facecolor=COMPONENT_COLOURS[component],
                        alpha=depth,
                        lw=0,
                    )
                )
                axes.text(
                    column + 0.5,
                    row + 0.53,
                    f"{100 * probability:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    weight="bold" if column == chosen else "normal",
                    color=INK if column == chosen or depth > 0.35 else MUTED,
                )
            axes.add_patch(
                Rectangle((chosen + 0.03, row + 0.05), 0.94, 0.9, fill=False, edgecolor=INK, lw=1.3)
            )
        for row in _stage_borders([layer.name for layer in scores.layers]):
            axes.axhline(row, color=GRID, lw=1)
        axes.set_yticks([row + 0.5 for row in range(rows)], [layer.name for layer in scores.layers])
        axes.set_xticks([column + 0.5 for column in range(columns)], list(scores.operations))
        axes.xaxis.set_ticks_position("top")
        axes.tick_params(length=0, pad=3)
        for label in axes.get_xticklabels():
            label.set(rotation=62, ha="left", rotation_mode="anchor")
        for spine in axes.spines.values():
            spine.set_visible(False)

    return chart(
        f"probabilities_{component}",
        f"{component}: {rows} layers, {columns} operations",
        paint,
        (width, height),
        constrained=False,
        scrolls=columns > 10,
    )


def _stage_borders(names: Sequence[str]) -> list[int]:
    """Rows at which another stage of the backbone, or another path of the neck, begins."""
    groups = [name.split(".")[0] if "." in name else name.rstrip(digits) for name in names]
    return [row for row in range(1, len(groups)) if groups[row] != groups[row - 1]]
