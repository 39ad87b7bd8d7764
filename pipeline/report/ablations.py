"""Tables of detectors of both papers, and Figures 3 and 4 of Hit-Detector, on whatever a run trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from pipeline.report.charts import bars, chart, curve, legend
from pipeline.report.inputs import History, Metrics, SubSearchSpace
from pipeline.report.screening import ranking
from pipeline.report.svg import COMPONENT_COLOURS, SERIES, Figure
from pipeline.report.tables import Cell, Column, Kind, Table
from pipeline.search_space.architecture import COMPONENTS

Value = Callable[[str, Metrics], Cell]


def _accuracy(name: str) -> tuple[Column, Value]:
    return Column(name, name, "percent"), lambda model, metrics: getattr(metrics, name)


def _component(name: str) -> tuple[Column, Value]:
    return (
        Column(f"{name} params", f"{name}_params", "scaled"),
        lambda model, metrics: metrics.components[name].params,
    )


def _searched(name: str) -> tuple[Column, Value]:
    return (
        Column(f"searched {name}", f"searched_{name}"),
        lambda model, metrics: "x" if model in (f"searched_{name}", "hit_detector") else "",
    )


def _total(title: str, key: str, of: Callable[[Metrics], int]) -> tuple[Column, Value]:
    return Column(title, key, "scaled"), lambda model, metrics: of(metrics)


_MODEL = (Column("model", "model"), lambda model, metrics: model)
_PARAMS = _total("params", "params", lambda metrics: metrics.params)
_FLOPS = _total(
    "FLOPs (paper)",
    "paper_flops",
    lambda metrics: sum(part.paper_flops for part in metrics.components.values()),
)
_MACS = _total("MACs", "macs", lambda metrics: metrics.macs)
_BACKBONE_MACS = _total(
    "backbone MACs", "backbone_macs", lambda metrics: metrics.components["backbone"].macs
)
_SIZE = (
    Column("input size", "input_size"),
    lambda model, metrics: f"{metrics.input_size[0]}x{metrics.input_size[1]}",
)


@dataclass(frozen=True)
class DetectorTable:
    """One of the papers' tables: what it says, and its columns with where each comes from."""

    title: str
    columns: Sequence[tuple[Column, Value]]


DETECTOR_TABLES = {
    "hit_table1": DetectorTable(
        "Parameters of each component, and AP",
        (_MODEL, *map(_component, COMPONENTS), _accuracy("AP")),
    ),
    "hit_table2": DetectorTable(
        "Baselines against the searched detector",
        (
            _MODEL,
            _PARAMS,
            _FLOPS,
            _MACS,
            *map(_accuracy, ("AP", "AP50", "AP75", "APS", "APM", "APL")),
        ),
    ),
    "hit_table3": DetectorTable(
        "Single-model results on the split that detectors are evaluated on",
        (_MODEL, _SIZE, _accuracy("AP")),
    ),
    "hit_table4": DetectorTable(
        "One common sub search space against one for each component",
        (_MODEL, *map(_accuracy, ("AP", "AP50", "AP75")), _PARAMS, _MACS),
    ),
    "hit_table5": DetectorTable(
        "Each searched part alone in the baseline, and all three",
        (_MODEL, *map(_searched, COMPONENTS), _accuracy("AP"), _accuracy("AP50"), _PARAMS, _MACS),
    ),
    "hit_apart": DetectorTable(
        "Backbone, neck and head searched apart and then combined, against the joint search",
        (_MODEL, *map(_accuracy, ("AP", "AP50", "AP75")), _PARAMS, _MACS),
    ),
    "hit_table6": DetectorTable(
        "One-stage detectors", (_MODEL, _PARAMS, *map(_accuracy, ("AP", "AP50", "AP75")))
    ),
    "joint_table1": DetectorTable(
        "Subnets sampled from the teacher pool against the same networks trained alone",
        (_MODEL, _PARAMS, _MACS, *map(_accuracy, ("AP", "AP50", "AP75"))),
    ),
    "joint_table2": DetectorTable(
        "The base detector with some percent of its backbone's channels pruned, and trained further",
        (_MODEL, _BACKBONE_MACS, _PARAMS, _MACS, *map(_accuracy, ("AP", "AP50", "AP75"))),
    ),
    "joint_table3": DetectorTable(
        "A student with and without its teacher",
        (_MODEL, _PARAMS, _MACS, *map(_accuracy, ("AP", "AP50", "AP75"))),
    ),
}


def detector_table(name: str, detectors: Mapping[str, Metrics]) -> tuple[Table, Figure]:
    """A table of evaluated detectors, in their order, and its AP column as bars."""
    described = DETECTOR_TABLES[name]
    rows = [
        [value(model, metrics) for _, value in described.columns]
        for model, metrics in detectors.items()
    ]
    table = Table(name, [column for column, _ in described.columns], rows, described.title)
    scores = {model: 100 * (metrics.AP or 0.0) for model, metrics in detectors.items()}
    title = f"{described.title}: AP in percent"
    return table, bars(name, title, scores, "AP, %", highlighted=("hit_detector",))


@dataclass(frozen=True)
class Replacement:
    """A trained detector with one operation replaced (Figure 3)."""

    component: str
    layer: str
    operation: str
    AP: float | None


def replacement_study(
    replacements: Sequence[Replacement], operations: Sequence[str], base: str
) -> tuple[Table, Figure]:
    """Figure 3: the AP of every replacement, an operation a row, a component a panel.

    Args:
        replacements: what was trained.
        operations: in the order of the rows.
        base: the operation of all other layers.
    """
    keys: list[tuple[str, Kind]] = [
        ("component", "text"),
        ("operation", "text"),
        ("layer", "text"),
        ("AP", "percent"),
    ]
    rows = [[each.component, each.operation, each.layer, each.AP] for each in replacements]
    table = Table("hit_figure3", [Column(key, key, kind) for key, kind in keys], rows)

    def paint(canvas: Canvas) -> None:
        panels = canvas.subplots(1, len(COMPONENTS), sharex=True, sharey=True)
        for axes, component in zip(panels, COMPONENTS, strict=True):
            for row, operation in enumerate(operations):
                scores = [
                    100 * each.AP
                    for each in replacements
                    if (each.component, each.operation) == (component, operation)
                    and each.AP is not None
                ]
                if scores:
                    colour = COMPONENT_COLOURS[component]
                    axes.plot(scores, [row] * len(scores), "o", color=colour, alpha=0.5, ms=5)
                    mean = sum(scores) / len(scores)
                    axes.plot([mean], [row], "|", color=colour, ms=14, mew=2)
            axes.set_title(component)
            axes.set_xlabel("AP, %")
        panels[0].set_yticks(range(len(operations)), list(operations))
        panels[0].set_ylim(len(operations) - 0.5, -0.5)

    title = (
        f"AP with one layer of {base} replaced by another operation; a dot a layer, a line the mean"
    )
    return table, chart("hit_figure3", title, paint, (8.0, 1.0 + 0.3 * len(operations)))


@dataclass(frozen=True)
class Screened:
    """A screening under one regulariser (Figure 4)."""

    regularizer: str
    mu: float
    space: SubSearchSpace
    history: History


def sparsity_study(component: str, screened: Sequence[Screened]) -> tuple[Table, Figure]:
    """Figure 4: how the candidates' probabilities part under each μ and regulariser.

    The curves are the scores after each epoch of the four candidates that lead, trail and stand at
    the thirds of the ranking; one that is removed ends with its score at that moment. The table has
    them all, and the spread, the standard deviation of an epoch's scores.
    """
    courses = [_course(component, each) for each in screened]
    rows: list[list[Cell]] = [
        [each.regularizer, each.mu, epoch, name, score, spread(scores)]
        for each, course in zip(screened, courses, strict=True)
        for epoch, scores in course.items()
        for name, score in scores.items()
    ]
    names = ("regularizer", "mu", "epoch", "operation", "score", "spread")
    table = Table("hit_figure4", [Column(name, name) for name in names], rows)

    def paint(canvas: Canvas) -> None:
        panels = canvas.subplots(1, len(screened), sharey=True, squeeze=False)[0]
        shown = _telling(screened[-1].space)
        for axes, each, course in zip(panels, screened, courses, strict=True):
            for colour, name in zip(SERIES, shown, strict=False):
                epochs = [float(epoch) for epoch, scores in course.items() if name in scores]
                percents = [100 * scores[name] for scores in course.values() if name in scores]
                curve(axes, (epochs, percents), name if axes is panels[0] else None, colour)
            axes.set_title(f"{each.regularizer}, μ = {each.mu:g}" if each.mu else "μ = 0")
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        panels[0].set_ylabel("probability, %")
        legend(canvas, panels[0], columns=4)

    title = f"Screening the {component}: probabilities of four candidates under the regulariser"
    return table, chart("hit_figure4", title, paint, (0.6 + 1.9 * len(screened), 2.9))


def _course(component: str, screened: Screened) -> dict[int, dict[str, float]]:
    """By epoch, the scores of the candidates: at its end, or when they were removed in it."""
    prefix = f"probability/{component}/"
    course = {
        int(record["epoch"]): {
            key.removeprefix(prefix): value
            for key, value in record.items()
            if key.startswith(prefix)
        }
        for record in screened.history.records
        if any(key.startswith(prefix) for key in record)
    }
    for gone in screened.space.removed:
        course.setdefault(gone.epoch, {}).setdefault(gone.operation, gone.score)
    return dict(sorted(course.items()))


def spread(scores: Mapping[str, float]) -> float:
    """The standard deviation of the candidates' scores."""
    mean = sum(scores.values()) / len(scores)
    return (sum((score - mean) ** 2 for score in scores.values()) / len(scores)) ** 0.5


def _telling(space: SubSearchSpace) -> list[str]:
    """The first, the last, and those at the thirds of a screening's ranking."""
    ranked = [name for name, _, _ in ranking(space)]
    last = len(ranked) - 1
    return [ranked[round(last * third / 3)] for third in range(4)]
