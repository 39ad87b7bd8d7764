"""Charts by matplotlib, as SVG that is the same for the same data: no clock, no user's style."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from pipeline.report.svg import GRID, INK, MUTED, PAPER, SERIES, Figure

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "detsearch",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "savefig.facecolor": PAPER,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.7,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.2,
}
CHART = (3.7, 2.9)
"""Usual size in inches: three beside each other on a laptop, one on a phone."""

FEW = 15
"""Curves of fewer points show them."""


def chart(
    name: str,
    title: str,
    paint: Callable[[Canvas], None],
    size: tuple[float, float] = CHART,
    *,
    constrained: bool = True,
    scrolls: bool = False,
) -> Figure:
    """Draw a chart.

    Args:
        name: of the file.
        title: says what is drawn; it stands beside the drawing, not in it.
        paint: fills the canvas.
        size: width and height in inches.
        constrained: whether matplotlib places the axes; else `paint` does.
        scrolls: as in `Figure`.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        canvas = Canvas(figsize=size, layout="constrained" if constrained else None)
        FigureCanvasSVG(canvas)
        paint(canvas)
        content = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Title": title}
        canvas.savefig(content, format="svg", metadata=metadata)
    return Figure(name, content.getvalue(), title, width=96 * size[0], scrolls=scrolls)


def curve(
    axes: Axes,
    points: tuple[list[float], list[float]],
    label: str | None,
    colour: str,
    **style: Any,
) -> None:
    """Draw one curve; nothing when it has no points."""
    xs, ys = points
    if xs:
        marker = {"marker": "o", "markersize": 3.5} if len(xs) < FEW else {}
        axes.plot(xs, ys, **({"label": label, "color": colour} | marker | style))


def legend(canvas: Canvas, axes: Axes, columns: int = 3) -> None:
    """A legend above the axes, where it hides nothing; none for a single curve."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        canvas.legend(
            handles,
            labels,
            loc="outside upper left",
            ncols=min(columns, len(labels)),
        )


def bars(
    name: str,
    title: str,
    values: Mapping[str, float],
    label: str,
    *,
    highlighted: Collection[str] = (),
    form: str = ".1f",
) -> Figure:
    """Horizontal bars, one below the other, each with its value.

    Args:
        name: of the file.
        title: as in `chart`.
        values: by the bars' names, from top to bottom.
        label: of the axis of values.
        highlighted: names of the bars that are not grey.
        form: format of the values.
    """

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid(visible=False, axis="y")
        for row, (bar, value) in enumerate(values.items()):
            axes.barh(row, value, 0.66, color=SERIES[0] if bar in highlighted else MUTED)
            axes.annotate(
                format(value, form), (value, row), (3, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(range(len(values)), list(values))
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.set_xlim(0, 1.18 * max(*values.values(), 1e-9))
        axes.set_xlabel(label)
        axes.tick_params(length=0)

    return chart(name, title, paint, (5.0, 0.8 + 0.28 * len(values)))
