"""Figures 4, 5 and 6 of Joint-DetNAS, and the tree of descent, from the candidates of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from pipeline.hill_climb.descent import (
    CHANGES,
    PHASES,
    Descent,
    beneficial_share,
    change_of,
    total_gain,
)
from pipeline.hill_climb.records import Evaluation, Name, Proposal
from pipeline.report.charts import CHART, chart, curve, legend
from pipeline.report.svg import MUTED, SERIES, Figure
from pipeline.report.tables import Cell, Column, Kind, Table
from pipeline.teacher_pool.space import Subnet

CHANGE_NAMES = {
    "prune_channels": "prune channels",
    "prune_layer": "prune a layer",
    "add_layer": "add a layer",
    "rearrange_layer": "move a layer",
    "mutate_teacher": "mutate the teacher",
}
"""How the changes of candidates are called in figures and tables."""

OVER_CONTROL: tuple[str, str, Kind] = ("gain over the parent trained on", "control_gain", "decimal")
"""The column of what a change brought beyond the epochs."""

BASE_AT = -0.6
"""Where the base stands on the axis of generations."""

COLOURS = dict(zip(CHANGE_NAMES, SERIES, strict=False))


def describe_change(proposal: Proposal) -> str:
    """What a candidate changed of its parent, in words."""
    action = proposal.action
    if action is None:
        return CHANGE_NAMES["mutate_teacher"]
    match action.kind:
        case "prune_channels":
            return f"prune {action.percentage:g} % of the channels"
        case "prune_layer":
            return f"prune a layer of stage {action.stage}"
        case "add_layer":
            return f"add a layer to stage {action.stage}, behind block {action.position}"
        case "rearrange_layer":
            return f"move a layer from stage {action.stage} to stage {action.to_stage}"


def describe_teacher(teacher: Subnet) -> str:
    """A subnet of the pool: blocks of each stage, their widths, and the neck's."""
    depths = "-".join(map(str, teacher.depths))
    widths = "-".join(f"{width:g}" for width in teacher.widths)
    return f"{depths} blocks, widths {widths}, neck {teacher.neck_width:g}"


def candidate_table(
    name: str,
    evaluations: Sequence[Evaluation],
    gains: Mapping[Name, float | None],
    caption: str,
    over_controls: Mapping[Name, float | None] | None = None,
) -> Table:
    """Candidates with parent, change, teacher, and what came out at the resolution of the highest H.

    Args:
        name: of the file.
        evaluations: the rows.
        gains: by candidate, H against that of its parent.
        caption: a sentence above the table.
        over_controls: by candidate, H against that of its parent trained on; None leaves the column out.
    """
    columns = (
        Column("candidate", "candidate"),
        Column("parent", "parent"),
        Column("change", "change"),
        Column("teacher", "teacher"),
        Column("MACs", "macs", "scaled"),
        Column("resolution", "resolution"),
        Column("AP, %", "AP", "percent"),
        Column("H", "H", "decimal"),
        Column("gain in H", "gain", "decimal"),
        *([] if over_controls is None else [Column(*OVER_CONTROL)]),
    )
    rows: list[list[Cell]] = [
        [
            _short(one.proposal.name),
            _short(one.proposal.parent),
            describe_change(one.proposal),
            describe_teacher(one.proposal.teacher),
            one.macs,
            "x".join(map(str, one.best.resolution)),
            one.best.ap,
            one.best.score,
            gains[one.proposal.name],
            *([] if over_controls is None else [over_controls[one.proposal.name]]),
        ]
        for one in evaluations
    ]
    return Table(name, columns, rows, caption)


def draw_descent(name: str, descent: Descent) -> Figure:
    """Every candidate at its generation and H, joined to its parent; the student's line in colour.

    Children of the base begin at the left, at their own H: the base's is not comparable.
    """
    taken = descent.line(descent.best)
    line = [one.proposal.name for one in taken]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for one in descent.evaluations.values():
            _join(axes, descent, one, taken=one.proposal.name in line)
        for change, label in CHANGE_NAMES.items():
            points = [
                (one.proposal.name.generation, one.best.score)
                for one in descent.evaluations.values()
                if change_of(one) == change
            ]
            if points:
                xs, ys = zip(*points, strict=True)
                axes.plot(xs, ys, "o", color=COLOURS[change], ms=5, label=label, zorder=3)
        for one in taken:
            place = (one.proposal.name.generation, one.best.score)
            axes.plot(*place, "o", ms=10, mfc="none", mec=SERIES[0], mew=1.8, zorder=4)
        generations = list(range(descent.generations))
        best = [descent.best_until(number).best.score for number in generations]
        axes.step(generations, best, where="post", color=MUTED, lw=1, ls=(0, (3, 2)), label="best")
        axes.set(xlabel="generation", ylabel="score H")
        ticks = [
            int(tick) for tick in MaxNLocator(10, integer=True).tick_values(0, generations[-1])
        ]
        ticks = [tick for tick in ticks if 0 <= tick <= generations[-1]]
        axes.set_xticks([BASE_AT, *ticks], ["base", *map(str, ticks)])
        axes.margins(x=0.04)
        legend(canvas, axes, columns=3)

    title = "The tree of descent: score of each candidate; bold and ringed, the line of the student"
    return chart(name, title, paint, (7.4, 3.8), scrolls=True)


def _join(axes: Axes, descent: Descent, one: Evaluation, *, taken: bool) -> None:
    parent = one.proposal.parent
    style = {"color": SERIES[0], "lw": 2.2} if taken else {"color": MUTED, "lw": 0.7, "alpha": 0.5}
    before = one.best.score if parent is None else descent.evaluations[parent].best.score
    axes.plot(
        [BASE_AT if parent is None else parent.generation, one.proposal.name.generation],
        [before, one.best.score],
        **style,
        zorder=2,
    )


def teacher_comparison(name: str, searches: Mapping[str, Descent]) -> tuple[Table, Figure]:
    """Figure 4: the best pair up to each generation, in searches that differ in their teachers.

    Args:
        name: of the table's and the figure's file.
        searches: by name, such as `dynamic` and `fixed`.
    """
    names = ("search", "generation", "candidate", "H", "AP", "macs", "teacher")
    rows: list[list[Cell]] = []
    for search, descent in searches.items():
        for generation in range(descent.generations):
            best = descent.best_until(generation)
            teacher = describe_teacher(best.proposal.teacher)
            found = _short(best.proposal.name)
            rows.append(
                [search, generation, found, best.best.score, best.best.ap, best.macs, teacher]
            )
    table = Table(name, [Column(key, key) for key in names], rows)
    return table, draw_progress(name, "Teachers that change, and one teacher throughout", searches)


def draw_progress(name: str, title: str, searches: Mapping[str, Descent]) -> Figure:
    """H and AP of the best candidate up to each generation, a curve for each search."""

    def paint(canvas: Canvas) -> None:
        left, right = canvas.subplots(1, 2)
        for (search, descent), colour in zip(searches.items(), SERIES, strict=False):
            best = [descent.best_until(number).best for number in range(descent.generations)]
            generations = [float(number) for number in range(descent.generations)]
            curve(left, (generations, [one.score for one in best]), search, colour)
            curve(right, (generations, [100 * one.ap for one in best]), None, colour)
        left.set_ylabel("score H of the best")
        right.set_ylabel("AP of the best, %")
        for axes in (left, right):
            axes.set_xlabel("generation")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        legend(canvas, left)

    return chart(name, title, paint, (2 * CHART[0], CHART[1]))


@dataclass(frozen=True)
class Capacity:
    """A search, and parameters of the backbone of each candidate and of its teacher."""

    descent: Descent
    students: Mapping[Name, int]
    teachers: Mapping[Name, int]

    @cached_property
    def best(self) -> list[Name]:
        """The best candidate up to each generation."""
        descent = self.descent
        return [descent.best_until(number).proposal.name for number in range(descent.generations)]


def capacity_study(searches: Mapping[str, Capacity]) -> tuple[Table, Figure]:
    """Figure 5: backbone parameters of teachers and students, of each base's search.

    Args:
        searches: by the name of the base. Where there are several, the table has a column for it.
    """
    names = ("generation", "candidate", "student_params", "teacher_params", "H", "best_so_far")
    several = len(searches) > 1
    rows: list[list[Cell]] = [
        [
            *([base] if several else []),
            name.generation,
            name.candidate,
            search.students[name],
            search.teachers[name],
            one.best.score,
            "x" if search.best[name.generation] == name else "",
        ]
        for base, search in searches.items()
        for name, one in search.descent.evaluations.items()
    ]
    columns = [Column(name, name) for name in (*(["base"] if several else []), *names)]
    table = Table("joint_figure5", columns, rows)

    def paint(canvas: Canvas) -> None:
        panels = canvas.subplots(len(searches), 2, squeeze=False)
        for (left, right), (base, search) in zip(panels, searches.items(), strict=True):
            _paint_capacity(left, right, search)
            if several:
                left.set_title(base)
        legend(canvas, panels[0][0])

    title = (
        "Parameters of the teacher's and the student's backbone: left of the best pair so far, right "
        "of every candidate (blue: the result)"
    )
    size = (2 * CHART[0], len(searches) * CHART[1])
    return table, chart("joint_figure5", title, paint, size)


def _paint_capacity(left: Axes, right: Axes, search: Capacity) -> None:
    """Left the best pair up to each generation, right every pair."""
    students, teachers, best = search.students, search.teachers, search.best
    generations = [float(number) for number in range(search.descent.generations)]
    for label, params, colour in (
        ("teacher", teachers, SERIES[0]),
        ("student", students, SERIES[1]),
    ):
        curve(left, (generations, [params[name] / 1e6 for name in best]), label, colour)
    left.set(xlabel="generation", ylabel="best pair's, M")
    left.set_ylim(bottom=0)
    left.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    points = [(students[name] / 1e6, teachers[name] / 1e6) for name in search.descent.evaluations]
    xs, ys = zip(*points, strict=True)
    right.plot(xs, ys, "o", color=MUTED, alpha=0.45, ms=5)
    right.plot([students[best[-1]] / 1e6], [teachers[best[-1]] / 1e6], "o", color=SERIES[0], ms=7)
    right.set(xlabel="student's, M", ylabel="teacher's, M")


def gain_study(descent: Descent, base_score: float | None) -> tuple[Table, Figure]:
    """Figure 6: what each kind of change brought, and its share in what helped, by phase.

    Where the search has controls, the table has gains against them, too.

    Args:
        descent: the search.
        base_score: H of the base, from which its children's gains count; None leaves these out.
    """
    gains, controlled = descent.gains(base_score), descent.gains_over_controls()
    total, shares = total_gain(gains), beneficial_share(descent, gains)
    rows: list[list[Cell]] = []
    for change in CHANGES:
        mine, over = (
            [one.value for one in each if one.change == change and one.value is not None]
            for each in (gains, controlled)
        )
        share = [shares[phase][change] for phase in PHASES]
        helped: list[Cell] = [len(mine), sum(value > 0 for value in mine), total[change]]
        beyond: list[Cell] = [len(over), sum(value > 0 for value in over), fmean(over or [0.0])]
        rows.append([change, *helped, *share, *(beyond if descent.controls else [])])
    names = ["change", "candidates", "beneficial", "gain", *(f"share_{phase}" for phase in PHASES)]
    if descent.controls:
        names += ["controlled", "beneficial_over_control", "mean_gain_over_control"]
    table = Table("joint_figure6", [Column(name, name) for name in names], rows)

    def paint(canvas: Canvas) -> None:
        upper, lower = canvas.subplots(2, 1)
        upper.grid(visible=False, axis="y")
        lower.grid(visible=False, axis="y")
        for row, (change, label) in enumerate(CHANGE_NAMES.items()):
            upper.barh(row, total[change], 0.66, color=COLOURS[change])
            upper.annotate(
                f"{total[change]:.3g}",
                (total[change], row),
                (3, 0),
                textcoords="offset points",
                va="center",
            )
            lefts = [
                sum(100 * shares[phase][other] for other in [*CHANGE_NAMES][:row])
                for phase in PHASES
            ]
            widths = [100 * shares[phase][change] for phase in PHASES]
            lower.barh(
                range(len(PHASES)), widths, 0.66, left=lefts, color=COLOURS[change], label=label
            )
        upper.set_yticks(range(len(CHANGE_NAMES)), list(CHANGE_NAMES.values()))
        upper.set_ylim(len(CHANGE_NAMES) - 0.4, -0.6)
        upper.set_xlim(0, 1.18 * max(*total.values(), 1e-9))
        upper.set_xlabel("sum of the gains in H")
        lower.set_yticks(range(len(PHASES)), [f"{phase} generations" for phase in PHASES])
        lower.set_ylim(len(PHASES) - 0.4, -0.6)
        lower.set_xlim(0, 100)
        lower.set_xlabel("share in the candidates that gained, %")

    title = "What each change brought: gains over the parents, and what helped when"
    return table, chart("joint_figure6", title, paint, (6.2, 4.2))


def _short(name: Name | None) -> str:
    return "base" if name is None else f"{name.generation}.{name.candidate}"
