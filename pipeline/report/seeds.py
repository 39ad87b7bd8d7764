"""Section: the whole chain once a seed, what its results have in common and how far they lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

from pipeline.artifacts.typed import read_as
from pipeline.config.evaluation import ReportConfig
from pipeline.report.formats import accuracy
from pipeline.report.inputs import EVALUATION, Metrics, Run
from pipeline.report.joint_inputs import BASE, BASE_LONGER, STUDENT
from pipeline.report.random_study import welch_margin
from pipeline.report.section import Section, paragraph
from pipeline.report.tables import Cell, Column, Table

DETECTORS = {
    "hit_detector": (EVALUATION, "searched (Hit-Detector)"),
    "base": (BASE, "base"),
    "base_longer": (BASE_LONGER, "base, trained on"),
    "student": (STUDENT, "student (Joint-DetNAS)"),
}
"""By the name that an input has: the folder of its evaluation in a run, and what a row is called."""
PAIRS = (
    (
        "hit_detector",
        "Hit-Detector's searched detector",
        "base",
        "the base, trained by a recipe of its own",
    ),
    ("student", "Joint-DetNAS's student", "base_longer", "the base trained on"),
)
"""What a search found, and what it is compared with seed by seed, each with its name in a sentence."""


@dataclass(frozen=True)
class Spread:
    """Mean of values that are independent of each other, one a seed, their deviation and its interval.

    Attributes:
        mean: of the values.
        deviation: of the sample, with n - 1; None of a single value.
        low: lower end of the mean's 95 % interval, by Student's t; None of a single value.
        high: upper end.
    """

    mean: float
    deviation: float | None
    low: float | None
    high: float | None


def spread(values: Sequence[float]) -> Spread:
    """What the values have in common: the interval is mean ± t(n - 1) s / sqrt(n)."""
    mean, number = fmean(values), len(values)
    if number < 2:
        return Spread(mean, None, None, None)
    deviation = stdev(values)
    margin = welch_margin([((deviation / sqrt(number)) ** 2, number - 1.0)])
    return Spread(mean, deviation, mean - margin, mean + margin)


def seeds_section(run: Run, settings: ReportConfig) -> Section:
    """A sentence for each search against what it is compared with, and a row for each detector."""
    found = read_seeds(run.seeds)
    columns = (
        Column("detector", "detector"),
        Column("seeds", "seeds", "count"),
        Column("mean AP, %", "AP", "percent", bar=True),
        Column("standard deviation, points", "deviation", "percent"),
        Column("95 % interval from, %", "low", "percent"),
        Column("to, %", "high", "percent"),
        Column("mean AP50, %", "AP50", "percent"),
        Column("mean params", "params", "scaled"),
        Column("mean MACs", "macs", "scaled"),
    )
    rows: list[list[Cell]] = []
    each: list[list[Cell]] = []
    for name, by_seed in found.items():
        title, metrics = DETECTORS[name][1], [*by_seed.values()]
        of_all = spread([one.AP or 0.0 for one in metrics])
        rows.append(
            [
                title,
                len(metrics),
                of_all.mean,
                of_all.deviation,
                of_all.low,
                of_all.high,
                fmean(one.AP50 or 0.0 for one in metrics),
                fmean(one.params for one in metrics),
                fmean(one.macs for one in metrics),
            ]
        )
        each += [
            [title, seed, one.AP, one.AP50, one.params, one.macs] for seed, one in by_seed.items()
        ]
    names = ("detector", "seed", "AP", "AP50", "params", "macs")
    alone = Table("seeds_each", [Column(key, key) for key in names], each, hidden=True)
    seeds = sorted({seed for by_seed in found.values() for seed in by_seed})
    intro = paragraph(
        "Search and training, once with each of the seeds {} on the same data. {} The other tables and "
        "drawings of this page are of this run's seed alone.",
        ", ".join(map(str, seeds)),
        " ".join(_against(found)),
    )
    return Section("seeds", "Over all seeds", (intro, Table("seeds", columns, rows), alone))


def read_seeds(folders: Mapping[str, Path]) -> dict[str, dict[int, Metrics]]:
    """The metrics of each detector by seed.

    Args:
        folders: evaluations, by `<seed>.<detector>`.

    Raises:
        ArtifactError: one is missing or is not in its format.
    """
    found: dict[str, dict[int, Metrics]] = {}
    for name in DETECTORS:
        for key, folder in folders.items():
            seed, _, detector = key.partition(".")
            if detector == name:
                metrics = read_as(folder / "metrics.json", Metrics)
                found.setdefault(name, {})[int(seed)] = metrics
    return found


def _against(found: Mapping[str, Mapping[int, Metrics]]) -> list[str]:
    """What each search is worth: the mean of the differences seed by seed, with its interval."""
    sentences: list[str] = []
    for name, title, other, compared in PAIRS:
        if name not in found:
            continue
        own = found[name]
        mean = spread([one.AP or 0.0 for one in own.values()]).mean
        text = f"{title} has a mean AP of {accuracy(mean)}"
        if pairs := [seed for seed in own if seed in found.get(other, {})]:
            gain = spread(
                [(own[seed].AP or 0.0) - (found[other][seed].AP or 0.0) for seed in pairs]
            )
            more = "more" if gain.mean >= 0 else "less"
            text += f", {100 * abs(gain.mean):.1f} points {more} than {compared}"
            if gain.low is not None and gain.high is not None:
                ends = f"{100 * gain.low:.1f} to {100 * gain.high:.1f}"
                sure = (
                    ""
                    if gain.low > 0 or gain.high < 0
                    else ", which holds 0: no difference is shown"
                )
                text += f" (95 % interval of the difference {ends}{sure})"
        sentences.append(f"{text}.")
    return sentences
