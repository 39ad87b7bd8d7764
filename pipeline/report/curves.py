"""Sections: curves of the search and the screening, and of the trainings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from pipeline.config.evaluation import ReportConfig
from pipeline.report.charts import CHART, chart, curve, legend
from pipeline.report.finalists import finalists_part
from pipeline.report.formats import accuracy, macs_unit
from pipeline.report.inputs import DETECTOR, SCREENING, SEARCH, History, Run, SubSearchSpace
from pipeline.report.path_search import found_by_paths
from pipeline.report.section import Group, Section, paragraph
from pipeline.report.svg import COMPONENT_COLOURS, MUTED, SERIES, Figure
from pipeline.search_space.architecture import COMPONENTS

IMPORTED = "data/weights/"
PRETRAININGS = (
    ("screening supernet", "hit_detector/screening/supernet"),
    ("search supernet", "hit_detector/supernet"),
    ("derived backbone", "hit_detector/pretraining"),
)


def search_section(run: Run, settings: ReportConfig) -> Section:
    """Losses, entropy and expected cost of the search; candidates of each screening."""
    intro, search = found_by_paths(run) if run.scores_paths else _differentiable(run)
    chosen = finalists_part(run)
    if not run.screened:
        return Section("curves", "Search curves", (intro, Group(search), *chosen))
    screenings = tuple(
        _candidates(component, run.history(f"{SCREENING}/{component}"), space)
        for component, space in run.spaces.items()
    )
    between = paragraph(
        "Screening: probability of each candidate, averaged over layers (Figure 4 of the paper), and "
        "the number of candidates alive. Grey: removed ones, up to their removal."
    )
    parts = (intro, Group(search), *chosen, between, Group(screenings))
    return Section("curves", "Search curves", parts)


def _differentiable(run: Run) -> tuple[Markup, tuple[Figure, ...]]:
    """Of the paper's search: what it was, losses, gradients, entropy and expected cost."""
    history = run.history(SEARCH)
    figures = (
        _losses(history),
        *gradient_sizes(history),
        _entropy(run, history),
        _expected_cost(history),
        *expected_time(history),
    )
    intro = paragraph(
        "Search with λ = {} per {}. The architecture parameters are optimised from epoch {} of {} on; "
        "until then their entropy is that of equal choice. The architecture loss is the detection "
        "loss on the other half of the training set. Where λ's gradient is far below the loss's, the cost "
        "decides nothing; where it is far above, nothing else does.",
        run.setting(SEARCH, "search", "cost_weight"),
        run.weighed,
        run.setting(SEARCH, "search", "architecture_from_epoch"),
        run.setting(SEARCH, "search", "epochs"),
    )
    return intro, figures


def gradient_sizes(history: History) -> tuple[Figure, ...]:
    """The norms of both gradients of α, β and γ, means over each epoch; none where none was logged."""
    series = [(name, per_epoch(history, f"gradient/{name}")) for name in ("loss", "penalty")]
    if not any(values for _, (_, values) in series):
        return ()

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for (name, points), colour in zip(series, SERIES, strict=False):
            label = "of the loss" if name == "loss" else "of the cost, times λ"
            curve(axes, points, label, colour, marker="o", markersize=3.5)
        # without λ there is no cost
        if all(value > 0 for _, (_, values) in series for value in values):
            axes.set_yscale("log")
        # room beside a single epoch, or its axis is divided into hundredths
        epochs = [epoch for _, (found, _) in series for epoch in found]
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.set(xlabel="epoch", ylabel="norm of the gradient")
        legend(canvas, axes)

    title = "Search: size of both gradients of α, β and γ, mean over an epoch"
    return (chart("search_gradients", title, paint),)


def per_epoch(history: History, key: str) -> tuple[list[float], list[float]]:
    """Epochs, and the mean of the records in each that hold `key`."""
    found: dict[float, list[float]] = {}
    for record in history.records:
        if key in record:
            found.setdefault(record["epoch"], []).append(record[key])
    return list(found), [sum(values) / len(values) for values in found.values()]


def training_section(run: Run, settings: ReportConfig) -> Section:
    """Loss and AP of the detector's training, accuracy of the pretrainings."""
    done = [(name, folder) for name, folder in PRETRAININGS if folder in run.manifests]
    if not done:
        intro = paragraph("No backbone was pretrained here: {}.", _start(run))
        return Section("training", "Training", (intro, Group((_detector(run.history(DETECTOR)),))))
    accuracies = ", ".join(f"{name} {accuracy(run.accuracy(folder))}" for name, folder in done)
    chance = run.chance
    intro = paragraph(
        "Validation accuracy after pretraining: {}{}. A supernet whose steps run some paths only is "
        "measured by random paths, too. Curves: accuracy in training; diamonds: in the validation.",
        accuracies,
        "" if chance is None else f"; by chance {accuracy(chance)} (the dotted line)",
    )
    figures = (_detector(run.history(DETECTOR)), _pretrainings(run, done))
    return Section("training", "Training", (intro, Group(figures)))


def _start(run: Run) -> str:
    given = [folder for folder in run.manifests if folder.startswith(IMPORTED)]
    if not given:
        return "every network started from its initialisation"
    files = ", ".join(str(run.setting(folder, "file")) for folder in given)
    others = (
        ""
        if len(given) == len(PRETRAININGS)
        else "; other networks started from their initialisation"
    )
    return f"weights came from {files}{others}"


def _losses(history: History) -> Figure:
    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        curve(axes, history.series("loss"), "weights", SERIES[0])
        curve(axes, history.series("architecture_loss"), "architecture", SERIES[1])
        axes.set(xlabel="iteration", ylabel="detection loss")
        legend(canvas, axes)

    return chart("search_loss", "Search: loss of the two alternating updates", paint)


def _entropy(run: Run, history: History) -> Figure:
    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for component in COMPONENTS:
            colour = COMPONENT_COLOURS[component]
            curve(axes, history.series(f"entropy/{component}"), component, colour)
            equal = math.log(len(run.scores.components[component].operations))
            axes.axhline(equal, color=colour, lw=0.8, ls=(0, (2, 3)))
        axes.set(xlabel="iteration", ylabel="mean entropy of a layer, nats")
        legend(canvas, axes)

    return chart("search_entropy", "Search: entropy of α, β and γ (dotted: equal choice)", paint)


def _expected_cost(history: History) -> Figure:
    xs, ys = history.series("expected_gmacs")
    unit, factor = macs_unit(1e9 * max(ys, default=1.0))

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        curve(axes, (xs, [1e9 * factor * y for y in ys]), None, SERIES[2])
        axes.set(xlabel="iteration", ylabel=f"expected cost, {unit}")
        axes.ticklabel_format(useOffset=False)

    return chart("search_cost", "Search: expected cost of the searched layers (Eq. 7)", paint)


def expected_time(history: History) -> tuple[Figure, ...]:
    """The sum of the searched layers' expected times, of a search that counts those; else none."""
    points = history.series("expected_milliseconds")
    if not points[0]:
        return ()

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        curve(axes, points, None, SERIES[2])
        axes.set(xlabel="iteration", ylabel="sum of measured operations, ms")
        axes.ticklabel_format(useOffset=False)

    title = "Search: expected time of the searched layers (the cost of Eq. 7 here)"
    return (chart("search_milliseconds", title, paint),)


def _candidates(component: str, history: History, space: SubSearchSpace) -> Figure:
    end = max((record["iteration"] for record in history.records), default=0.0)
    # all α are equal before the first update
    equal = 1 / len(space.scores)

    def probabilities(name: str) -> tuple[list[float], list[float]]:
        xs, ys = history.series(f"probability/{component}/{name}")
        return [0.0, *xs], [equal, *ys]

    def paint(canvas: Canvas) -> None:
        upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        for removal in space.removed:
            xs, ys = probabilities(removal.operation)
            points = _percent(([*xs, float(removal.iteration)], [*ys, removal.score]))
            curve(upper, points, None, MUTED, lw=0.8, alpha=0.45, marker="")
        for number, name in enumerate(space.kept):
            points = _percent(probabilities(name))
            colour = SERIES[number] if number < len(SERIES) else MUTED
            label = name if number < len(SERIES) else None
            curve(upper, points, label, colour, marker="")
        upper.set_ylabel("probability, %")
        alive = len(space.scores)
        xs, ys = [0.0], [float(alive)]
        for removal in space.removed:
            alive -= 1
            xs.append(float(removal.iteration))
            ys.append(float(alive))
        curve(
            lower, ([*xs, end], [*ys, ys[-1]]), None, SERIES[0], drawstyle="steps-post", marker=""
        )
        lower.set(xlabel="iteration", ylabel="alive", ylim=(0, 1.15 * len(space.scores)))
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        legend(canvas, upper, columns=2)

    return chart(
        f"candidates_{component}",
        f"Screening the {component}: candidates",
        paint,
        (CHART[0], 4.2),
    )


def _detector(history: History) -> Figure:
    def paint(canvas: Canvas) -> None:
        upper, lower = canvas.subplots(2, 1, sharex=True)
        curve(upper, history.series("loss"), None, SERIES[0])
        upper.set_ylabel("loss")
        for key, colour in (("AP50", SERIES[1]), ("AP", SERIES[2])):
            curve(lower, _percent(history.series(key)), key, colour)
        lower.set(xlabel="iteration", ylabel="validation, %")
        lower.set_ylim(bottom=0)
        legend(canvas, lower)

    return chart(
        "detector_training", "The detector: training loss and validation AP", paint, (CHART[0], 3.7)
    )


def _pretrainings(run: Run, done: Sequence[tuple[str, str]]) -> Figure:
    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for (name, folder), colour in zip(done, SERIES, strict=False):
            history = run.history(folder)
            curve(axes, _percent(history.series("accuracy")), name, colour)
            validated = _percent(history.series("validation_accuracy"))
            curve(axes, validated, None, colour, marker="D", markersize=6)
        axes.set(xlabel="iteration", ylabel="accuracy, %")
        axes.set_ylim(bottom=0)
        if run.chance is not None:
            axes.axhline(100 * run.chance, color=MUTED, lw=1, ls=(0, (2, 3)), label="chance")
        legend(canvas, axes, columns=2)

    return chart(
        "pretraining", "Classification pretraining of the backbones", paint, (CHART[0], 3.7)
    )


def _percent(points: tuple[list[float], list[float]]) -> tuple[list[float], list[float]]:
    return points[0], [100 * y for y in points[1]]
