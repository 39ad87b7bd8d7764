"""What the report shows of a search over paths: their scores, and what they cost."""

from __future__ import annotations

from itertools import accumulate

from markupsafe import Markup
from matplotlib.figure import Figure as Canvas

from pipeline.report.charts import chart, curve, legend
from pipeline.report.inputs import PathRecord, Run
from pipeline.report.section import paragraph
from pipeline.report.svg import MUTED, SERIES, Figure

STRATEGIES = {"evolution": "aging evolution", "random": "random paths"}
SCORES = {"loss": "minus the loss", "ap": "AP"}


def found_by_paths(run: Run) -> tuple[Markup, tuple[Figure, ...]]:
    """A paragraph, the scores in the order in which paths were scored, and the scores over the costs."""
    record = run.paths
    best = max(record.paths, key=lambda path: path.score)
    limit = "" if record.max_gmacs is None else f" None has more than {record.max_gmacs:g} GMACs."
    intro = paragraph(
        "Search by {}: {} single paths of one supernet were scored without training, each by {} on "
        "validation images with batch statistics of its own.{} The best has a score of {} at {} GMACs.",
        STRATEGIES.get(record.strategy, record.strategy),
        len(record.paths),
        SCORES.get(record.score, record.score),
        limit,
        f"{best.score:.4g}",
        f"{best.macs / 1e9:.4g}",
    )
    return intro, (_progress(record), _costs(record))


def _progress(record: PathRecord) -> Figure:
    scores = [path.score for path in record.paths]
    numbers = [float(number) for number in range(1, len(scores) + 1)]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        curve(axes, (numbers, scores), "each path", MUTED, ls="", marker="o", markersize=2.5)
        best = list(accumulate(scores, max))
        curve(axes, (numbers, best), "best so far", SERIES[0], drawstyle="steps-post", marker="")
        axes.set(xlabel="paths scored", ylabel=SCORES.get(record.score, record.score))
        legend(canvas, axes)

    return chart("search_paths", "Search: one-shot scores of the paths", paint)


def _costs(record: PathRecord) -> Figure:
    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        points = [path.macs / 1e9 for path in record.paths], [p.score for p in record.paths]
        curve(axes, points, "each path", SERIES[2], ls="", marker="o", markersize=3)
        if record.max_gmacs is not None:
            axes.axvline(record.max_gmacs, color=MUTED, lw=0.9, ls=(0, (2, 3)))
        axes.set(xlabel="GMACs of the detector", ylabel=SCORES.get(record.score, record.score))

    return chart("search_paths_cost", "Search: scores and costs (dotted: the budget)", paint)
