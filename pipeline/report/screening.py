"""Section: what screening kept of the 32 candidates, and when it removed the others."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from pipeline.config.evaluation import ReportConfig
from pipeline.report.charts import chart
from pipeline.report.inputs import SCREENING, Run, SubSearchSpace
from pipeline.report.section import Group, Section, paragraph
from pipeline.report.svg import INK, MUTED, Figure, kind_colour
from pipeline.report.tables import Column, Table
from pipeline.search_space.architecture import COMPONENTS
from pipeline.search_space.names import OperationSpec


def screening_section(run: Run, settings: ReportConfig) -> Section:
    """A chart of all candidates per component, and a table of them as a file."""
    figures = tuple(score_chart(component, space) for component, space in run.spaces.items())
    rows = [
        (component, operation, score, epoch is None, epoch)
        for component, space in run.spaces.items()
        for operation, score, epoch in ranking(space)
    ]
    columns = ("component", "operation", "score", "kept", "removed_in_epoch")
    table = Table("screening", [Column(name, name) for name in columns], rows, hidden=True)
    component = COMPONENTS[0]
    intro = paragraph(
        "All candidates of each component. The score is the softmax probability, averaged over the "
        "component’s layers: at the end for those kept (coloured), at removal for those removed (pale; the "
        "later removed, the higher; an epoch stands beside the last one that it removed). Scores rise as "
        "candidates go, since they share a sum of one. Regulariser {} with μ = {}.",
        run.setting(f"{SCREENING}/{component}", "screening", "regularizer"),
        run.setting(f"{SCREENING}/{component}", "screening", "mu"),
    )
    return Section("screening", "Screening", (intro, Group(figures), table))


def ranking(space: SubSearchSpace) -> list[tuple[str, float, int | None]]:
    """All candidates, best first: the kept ones by score, then the last removed to the first.

    Returns:
        Operation, score, and the epoch of its removal or None.
    """
    return [
        *((name, space.scores[name], None) for name in space.kept),
        *((gone.operation, gone.score, gone.epoch) for gone in reversed(space.removed)),
    ]


def score_chart(component: str, space: SubSearchSpace) -> Figure:
    """Horizontal bars in the order of `ranking`."""
    entries = ranking(space)
    epochs = [epoch for _, _, epoch in entries]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid(visible=False, axis="y")
        for row, (name, score, epoch) in enumerate(entries):
            colour = kind_colour(OperationSpec.parse(name).kind)
            axes.barh(row, score, 0.72, color=colour, alpha=1.0 if epoch is None else 0.28)
            if epoch is not None and epoch == epochs[row - 1]:
                continue  # an epoch is written once, beside the last that it removed
            axes.annotate(
                f"{100 * score:.1f} %" if epoch is None else f"removed in epoch {epoch}",
                (score, row),
                (3, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=INK if epoch is None else MUTED,
            )
        axes.set_yticks(range(len(entries)), [name for name, _, _ in entries])
        for label, (_, _, epoch) in zip(axes.get_yticklabels(), entries, strict=True):
            label.set(
                color=INK if epoch is None else MUTED, weight="bold" if epoch is None else "normal"
            )
        axes.set_ylim(len(entries) - 0.4, -0.6)
        axes.set_xlim(0, 1.2 * max(score for _, score, _ in entries))
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(length=0)

    return chart(
        f"screening_{component}",
        f"{component}: {len(space.kept)} of {len(entries)} candidates kept",
        paint,
        (3.5, 0.3 + 0.185 * len(entries)),
    )
