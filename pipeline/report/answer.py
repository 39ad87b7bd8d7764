"""Section: all detectors of the run side by side, and in words what the searches were worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from markupsafe import escape

from pipeline.artifacts.lineage import descended_from
from pipeline.artifacts.typed import read_as
from pipeline.config.evaluation import ReportConfig
from pipeline.console import counted
from pipeline.report.formats import accuracy, percent
from pipeline.report.inputs import EVALUATION, Metrics, Run, Speed
from pipeline.report.joint_inputs import BASE, BASE_LONGER, RANDOM_STUDENT, STUDENT, JointRun
from pipeline.report.random_section import RANDOM
from pipeline.report.random_study import STUDY, Study, compare, seed_deviation, verdict_sentence
from pipeline.report.scatter import CANDIDATE, COMPARED, FOUND, Point, scatter
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
    speed: Speed
    seconds: float


def answer_section(run: Run, settings: ReportConfig) -> Section:
    """One table of all detectors on the split that no search looked at, and a sentence for each method."""
    rows = {
        folder: _read(run, folder)
        for folder in DETECTORS
        if folder == EVALUATION or folder in run.beside
    }
    study = read_as(run.path / RANDOM / STUDY, Study) if RANDOM in run.beside else None
    sentences = [*_of_hit_detector(rows, study), *_of_joint_detnas(rows)]
    if study is None:
        sentences.append(
            "Each detector was trained once: a difference of one or two points of AP may be the seed's."
        )
    timed = rows[EVALUATION].speed
    parts: list[Part] = [
        paragraph(str(escape(" ".join(sentences))).replace("report.random: true", CODE)),
        _table(run, rows, study),
        paragraph(
            "Time per image: {} of {}, one at a time, on {} with {}. Its stages: their times, added up. Each "
            "detector was timed in its own evaluation, at another moment, so the same network may differ; "
            "<code>python -m pipeline.latency</code> compares exported detectors in turn.",
            "mean" if timed.lower_quartile is None else "median, below it the quartiles,",
            counted(timed.images, "image"),
            timed.device,
            counted(timed.threads, "thread"),
        ),
    ]
    points = _networks(run, rows, study)
    if len(points) > 1:
        parts += scatter("results", "Accuracy over computation of every network of the run", points)
    return Section("answer", "Results", tuple(parts))


def _read(run: Run, folder: str) -> _Row:
    path = run.path / folder
    manifests = descended_from(run.path, folder).values()
    return _Row(
        read_as(path / "metrics.json", Metrics),
        read_as(path / "speed.json", Speed),
        sum(manifest.wall_seconds for manifest in manifests),
    )


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
    searched, base = rows[EVALUATION].metrics, rows.get(BASE)
    text = f"The searched detector has an AP of {accuracy(searched.AP)}"
    if base is not None and searched.AP is not None and base.metrics.AP is not None:
        text += (
            f", {_points(searched.AP - base.metrics.AP)} than the base, at "
            f"{searched.macs / base.metrics.macs:.2f} times its MACs"
        )
    return [
        f"{text}. Whether it is better than random architectures of its cost, "
        "report.random: true would tell."
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
    return [f"{text}."]


def _points(difference: float) -> str:
    """A difference of AP in words: `2.1 points more`."""
    return f"{100 * abs(difference):.1f} points {'more' if difference >= 0 else 'less'}"


def _table(run: Run, rows: Mapping[str, _Row], study: Study | None) -> Table:
    spread = any(row.speed.lower_quartile is not None for row in rows.values())
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
    cells: list[list[Cell]] = [
        [
            DETECTORS[folder],
            row.metrics.AP,
            row.metrics.AP50,
            row.metrics.params,
            row.metrics.macs,
            row.speed.seconds_per_image,
            *((row.speed.lower_quartile, row.speed.upper_quartile) if spread else ()),
            row.seconds,
        ]
        for folder, row in rows.items()
    ]
    caption = f"On {rows[EVALUATION].metrics.images:,} {run.evaluated} images"
    if study is not None:
        deviation, _ = seed_deviation(study.networks)
        caption += f"; a seed's standard deviation is {100 * deviation:.1f} points of AP"
        cells += [
            [name, *values, *[None] * (len(columns) - 5)]
            for name, values in _compared(study).items()
        ]
    return Table("results", columns, cells, caption)


def _compared(study: Study) -> dict[str, tuple[float, float, int, int]]:
    """Mean AP, AP50, params and MACs of the random networks and of the plain one."""

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    named = {f"random, mean of {len(study.of('random'))}": "random", "plain": "plain"}
    found: dict[str, tuple[float, float, int, int]] = {}
    for name, kind in named.items():
        networks = study.of("random" if kind == "random" else "plain")
        found[name] = (
            mean([mean(list(each.AP)) for each in networks]),
            mean([mean(list(each.AP50)) for each in networks]),
            round(mean([each.params for each in networks])),
            round(mean([each.macs for each in networks])),
        )
    return found


def _networks(run: Run, rows: Mapping[str, _Row], study: Study | None) -> list[Point]:
    """All networks of the run whose AP and computation are known."""
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
    if STUDENT in rows:
        points += [
            Point(f"candidate {name.generation}.{name.candidate}", CANDIDATE, one.macs, one.best.ap)
            for name, one in JointRun(run).descent.evaluations.items()
        ]
    return points
