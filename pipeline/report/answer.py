"""Section: all detectors of the run side by side, and in words what the searches were worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from markupsafe import Markup, escape

from pipeline.artifacts.lineage import descended_from
from pipeline.artifacts.typed import read_as
from pipeline.config.evaluation import ReportConfig
from pipeline.console import counted
from pipeline.front.table import FRONT as FRONT_FILE
from pipeline.front.table import Front
from pipeline.front.table import Row as FrontRow
from pipeline.report.formats import accuracy, percent, scaled
from pipeline.report.front import FRONT
from pipeline.report.inputs import EVALUATION, Metrics, Run, Speed, measured
from pipeline.report.joint_inputs import BASE, BASE_LONGER, RANDOM_STUDENT, STUDENT, JointRun
from pipeline.report.random_section import RANDOM
from pipeline.report.random_study import (
    STUDY,
    Name,
    Study,
    compare,
    seed_deviation,
    verdict_sentence,
)
from pipeline.report.scatter import CANDIDATE, COMPARED, FOUND, OF_FRONT, Point, scatter
from pipeline.report.scatter import RANDOM as RANDOM_KIND
from pipeline.report.section import Part, Section, paragraph
from pipeline.report.tables import Cell, Column, Table

DETECTORS = {
    EVALUATION: "searched (Hit-Detector)",
    BASE: "base",
    BASE_LONGER: "base, trained on",
    STUDENT: "student (Joint-DetNAS)",
    RANDOM_STUDENT: "student of random actions",
}
"""What a row is called, by the folder of its evaluation, in the order of the rows."""

SEARCHED = (EVALUATION, STUDENT)
"""What the searches found; the others are there to compare with."""
CODE = "<code>report.random: true</code>"
QUARTILES = ("lower_quartile", "upper_quartile")


@dataclass(frozen=True)
class _Row:
    """An evaluated detector, and the wall time of all stages that it descends from."""

    metrics: Metrics
    speed: Speed | None
    seconds: float


@dataclass(frozen=True)
class _Given:
    """What the section compares.

    Attributes:
        rows: detectors by the folder of their evaluation.
        study: random and plain networks.
        front: subnets of the teacher pool.
    """

    rows: Mapping[str, _Row]
    study: Study | None
    front: Front | None

    @property
    def subnet(self) -> FrontRow | None:
        """The front's subnet with the highest AP on val: chosen as `pipeline.pick` does, not by test."""
        subnets = [row for row in self.front.rows if row.kind == "subnet"] if self.front else []
        return max(subnets, key=lambda row: row.val.ap, default=None)


def answer_section(run: Run, settings: ReportConfig) -> Section:
    """One table of all detectors on the split that no search looked at, and a sentence for each method."""
    rows = {
        folder: _read(run, folder)
        for folder in DETECTORS
        if folder == EVALUATION or folder in run.beside
    }
    study = read_as(run.path / RANDOM / STUDY, Study) if RANDOM in run.beside else None
    front = read_as(run.path / FRONT / FRONT_FILE, Front) if FRONT in run.beside else None
    given = _Given(rows, study, front)
    sentences = [*_of_hit_detector(rows, study), *_of_joint_detnas(rows), *_of_front(given)]
    if run.seeds:
        sentences.append("These are of this run's seed alone; the next section is over all seeds.")
    elif study is None:
        sentences.append(
            "Each detector was trained once: a difference of one or two points of AP may be the seed's."
        )
    parts: list[Part] = [
        paragraph(str(escape(" ".join(sentences))).replace("report.random: true", CODE)),
        _table(run, given),
        _how_timed(run, rows[EVALUATION].speed),
    ]
    points = _networks(run, given)
    if len(points) > 1:
        parts += scatter("results", "Accuracy over computation of every network of the run", points)
    return Section("answer", "Results", tuple(parts))


def _how_timed(run: Run, speed: Speed | None) -> Markup:
    """What the columns of times hold."""
    stages = "Its stages: the times of all that it descends from, added up."
    if run.timed is not None:
        record = run.timed.latencies
        if record is None:
            return paragraph("No detector could be timed. {}", stages)
        return paragraph(
            "Per image: median, below it the quartiles, of {}, one image at a time, from pixels to boxes, by "
            "{} on {} with {}. All detectors were timed together, in turns.{} {}",
            counted(record.models[0].runs, "run"),
            record.runtime,
            record.device,
            counted(record.threads, "thread"),
            " The front's were timed in the same way, at another time."
            if FRONT in run.beside
            else "",
            stages,
        )
    assert speed is not None
    return paragraph(
        "Per image: {} of {}, one at a time, on {} with {}. Each detector was timed in its own evaluation, "
        "at another moment, so the same network may differ; <code>evaluation.latency</code> times them "
        "together. {}",
        "mean" if speed.lower_quartile is None else "median, below it the quartiles,",
        counted(speed.images, "image"),
        speed.device,
        counted(speed.threads, "thread"),
        stages,
    )


def _read(run: Run, folder: str) -> _Row:
    return _Row(
        read_as(run.path / folder / "metrics.json", Metrics),
        run.speed(folder),
        _seconds(run, folder),
    )


def _seconds(run: Run, folder: str) -> float:
    """Of all stages that an artifact descends from, itself among them, together."""
    return sum(each.wall_seconds for each in descended_from(run.path, folder).values())


def _of_hit_detector(rows: Mapping[str, _Row], study: Study | None) -> list[str]:
    if study is not None:
        plain = compare(study, "plain")
        said = {
            "better": "better than",
            "worse": "worse than",
            "not separable": "not separable from",
        }
        return [
            verdict_sentence(study),
            f"It is {said[plain.verdict]} the plain network of its cost (AP {percent(plain.others)} %).",
        ]
    return [
        f"The searched detector has an AP of {accuracy(rows[EVALUATION].metrics.AP)}. Whether it is better "
        "than random and plain networks of its cost, report.random: true would tell."
    ]


def _of_joint_detnas(rows: Mapping[str, _Row]) -> list[str]:
    if STUDENT not in rows:
        return []
    student, longer = rows[STUDENT].metrics, rows[BASE_LONGER].metrics
    text = f"Joint-DetNAS's student has an AP of {accuracy(student.AP)}"
    if student.AP is not None and longer.AP is not None:
        change = student.macs / longer.macs - 1
        cost = "fewer" if change < 0 else "more"
        text += (
            f", {_points(student.AP - longer.AP)} than the base trained for as many epochs, with "
            f"{100 * abs(change):.0f} % {cost} MACs"
        )
    return [
        f"{text}. It is not to be compared with the searched one: base and student are trained by a recipe "
        "of their own."
    ]


def _of_front(given: _Given) -> list[str]:
    if (best := given.subnet) is None:
        return []
    shown = best.test or best.val
    return [
        "Of the front's subnets, none of which was trained for itself, the best on the validation images has "
        f"an AP of {percent(shown.ap)} % with {scaled(best.macs)} MACs."
    ]


def _points(difference: float) -> str:
    """A difference of AP in words: `2.1 points more`."""
    return f"{100 * abs(difference):.1f} points {'more' if difference >= 0 else 'less'}"


def _table(run: Run, given: _Given) -> Table:
    rows, study = given.rows, given.study
    evaluation = rows[EVALUATION].metrics
    spread = any(row.speed and row.speed.lower_quartile is not None for row in rows.values())
    columns = (
        Column("detector", "detector"),
        Column("AP, %", "AP", "percent", bar=True),
        Column("AP50, %", "AP50", "percent"),
        Column("params", "params", "scaled"),
        Column("MACs", "macs", "scaled"),
        Column("per image", "seconds_per_image", "seconds", spread=QUARTILES if spread else None),
        *(Column(key, key, "seconds") for key in (QUARTILES if spread else ())),
        Column("its stages", "stage_seconds", "seconds"),
    )

    def times(speed: Speed | None) -> list[Cell]:
        if speed is None:
            return [None] * (3 if spread else 1)
        quartiles = (speed.lower_quartile, speed.upper_quartile) if spread else ()
        return [speed.seconds_per_image, *quartiles]

    cells: list[list[Cell]] = [
        [
            DETECTORS[folder],
            row.metrics.AP,
            row.metrics.AP50,
            row.metrics.params,
            row.metrics.macs,
            *times(row.speed),
            row.seconds,
        ]
        for folder, row in rows.items()
    ]
    if (best := given.subnet) is not None:
        shown = best.test or best.val
        counts = (shown.ap, shown.ap50, best.params, best.macs)
        cells.append(
            [f"front: {best.name}", *counts, *times(_front_speed(run, given)), _seconds(run, FRONT)]
        )
    caption = f"On {evaluation.images:,} {run.evaluated} images"
    if study is not None:
        deviation, _ = seed_deviation(study.networks)
        caption += f"; a seed's standard deviation is {100 * deviation:.1f} points of AP"
        cells += [
            [name, *values, *times(_mean_speed(run, kind)), None]
            for kind, (name, values) in _compared(study).items()
        ]
    return Table("results", columns, cells, caption)


def _mean_speed(run: Run, kind: Name) -> Speed | None:
    """Mean of the networks of a kind; None where they were not timed in turns."""
    record = run.timed.latencies if run.timed else None
    models = record.models if record else ()
    found = [each for each in models if each.model.startswith(f"ablations/{kind}")]
    return measured(record, found) if record and found else None


def _front_speed(run: Run, given: _Given) -> Speed | None:
    """Of the subnet that the table shows; None where the others' times were measured in another way."""
    record = given.front.latencies if given.front else None
    times = given.subnet.latency if given.subnet else None
    return measured(record, [times]) if record and times and run.timed else None


def _compared(study: Study) -> dict[Name, tuple[str, tuple[float, float, int, int]]]:
    """By kind, what a row is called, and mean AP, AP50, params and MACs of the networks."""
    names: dict[Name, str] = {
        "random": f"random, mean of {len(study.of('random'))}",
        "plain": "plain",
    }
    found: dict[Name, tuple[str, tuple[float, float, int, int]]] = {}
    for kind, name in names.items():
        networks = study.of(kind)
        means = (
            fmean(fmean(each.AP) for each in networks),
            fmean(fmean(each.AP50) for each in networks),
            round(fmean(each.params for each in networks)),
            round(fmean(each.macs for each in networks)),
        )
        found[kind] = (name, means)
    return found


def _networks(run: Run, given: _Given) -> list[Point]:
    """All networks of the run whose AP and computation are known."""
    rows, study, front = given.rows, given.study, given.front
    points = [
        Point(DETECTORS[folder], FOUND if folder in SEARCHED else COMPARED, m.macs, m.AP)
        for folder, row in rows.items()
        if (m := row.metrics).AP is not None
    ]
    if study is not None:
        points += [
            Point(
                each.name,
                RANDOM_KIND if each.kind == "random" else COMPARED,
                each.macs,
                fmean(each.AP),
            )
            for each in study.networks
            if each.kind != "searched"
        ]
    if front is not None:
        points += [
            Point(row.name, OF_FRONT, row.macs, (row.test or row.val).ap)
            for row in front.rows
            if row.kind == "subnet"
        ]
    if STUDENT in rows:
        points += [
            Point(f"candidate {name.generation}.{name.candidate}", CANDIDATE, one.macs, one.best.ap)
            for name, one in JointRun(run).descent.evaluations.items()
        ]
    return points
