"""The searched detector among random and plain ones of the same cost: what the search is worth.

A network is trained with several seeds. What a seed is worth is their standard deviation, pooled
over all networks: the sum of squared distances from each network's mean over the sum of (n - 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Literal

from matplotlib.figure import Figure as Canvas
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import t as student

from pipeline.report.charts import chart
from pipeline.report.svg import MUTED, SERIES, Figure
from pipeline.report.tables import Cell, Column, Kind, Table

STUDY = "study.json"
"""What was measured; the table, the figure and the sentence follow from it."""

Name = Literal["searched", "random", "plain"]
Verdict = Literal["better", "worse", "not separable"]
CONFIDENCE = 0.95
DEVIATIONS = 2.0
"""A difference below this many standard deviations of a seed separates nothing."""


class Trained(BaseModel):
    """A network and its trainings, one a seed; AP and AP50 are fractions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Name
    macs: int
    params: int
    AP: tuple[float, ...] = Field(min_length=2)
    AP50: tuple[float, ...] = Field(min_length=2)


class Study(BaseModel):
    """`study.json`: the searched network, random ones, and a plain one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    networks: tuple[Trained, ...]

    def of(self, kind: Name) -> tuple[Trained, ...]:
        """The networks of a kind, in their order."""
        return tuple(network for network in self.networks if network.kind == kind)


@dataclass(frozen=True)
class Comparison:
    """The searched network's mean AP less that of others, in fractions of 1, and its interval.

    Attributes:
        difference: of the means.
        low: lower end of the 95 % interval of the difference.
        high: upper end.
        others: mean AP of the others.
        verdict: of the searched one.
    """

    difference: float
    low: float
    high: float
    others: float
    verdict: Verdict

    def relative(self, value: float) -> float | None:
        """A difference as a share of the others' mean, taken as exact; None where that is 0."""
        return value / self.others if self.others else None


def seed_deviation(networks: Sequence[Trained]) -> tuple[float, int]:
    """The standard deviation of AP over seeds, pooled over networks, and its degrees of freedom."""
    squares = sum((ap - fmean(each.AP)) ** 2 for each in networks for ap in each.AP)
    freedom = sum(len(each.AP) - 1 for each in networks)
    return sqrt(squares / freedom), freedom


def welch_margin(terms: Sequence[tuple[float, float]], confidence: float = CONFIDENCE) -> float:
    """Half of the width of Welch's interval for a difference of means.

    With variances v_i of the means and their degrees of freedom f_i it is t(f) sqrt(sum v_i), where
    f = (sum v_i)^2 / sum(v_i^2 / f_i) (Welch and Satterthwaite) and t is Student's quantile.

    Args:
        terms: (v_i, f_i) of independent means.
        confidence: share of intervals that hold the difference.
    """
    total = sum(variance for variance, _ in terms)
    if total == 0:
        return 0.0
    freedom = total**2 / sum(variance**2 / degrees for variance, degrees in terms)
    return float(student.ppf((1 + confidence) / 2, freedom)) * sqrt(total)


def compare(study: Study, kind: Name) -> Comparison:
    """The searched network against those of a kind.

    The searched one's mean has the pooled variance of a seed over its number of seeds. The mean of
    several networks has the variance of their means over their number: that is of architectures and
    seeds together. A single network is like the searched one. The verdict is "not separable" where
    the difference is below two standard deviations of a seed, or its interval holds 0.
    """
    (searched,), others = study.of("searched"), study.of(kind)
    deviation, freedom = seed_deviation(study.networks)
    means = [fmean(each.AP) for each in others]
    mean = fmean(means)
    difference = fmean(searched.AP) - mean
    if len(means) > 1:
        terms = [
            (deviation**2 / len(searched.AP), float(freedom)),
            (stdev(means) ** 2 / len(means), len(means) - 1.0),
        ]
    else:
        shares = 1 / len(searched.AP) + 1 / len(others[0].AP)
        terms = [(deviation**2 * shares, float(freedom))]
    margin = welch_margin(terms)
    verdict: Verdict = "better" if difference > 0 else "worse"
    if difference == 0 or abs(difference) < DEVIATIONS * deviation or abs(difference) < margin:
        verdict = "not separable"
    return Comparison(difference, difference - margin, difference + margin, mean, verdict)


def verdict_sentence(study: Study) -> str:
    """What the comparison with random networks says, in words."""
    found = compare(study, "random")
    deviation, _ = seed_deviation(study.networks)
    searched = found.others + found.difference
    number = len(study.of("random"))
    said = {
        "better": f"The searched architecture is better than {number} random ones of its cost",
        "worse": f"The searched architecture is worse than {number} random ones of its cost",
        "not separable": f"The searched architecture and {number} random ones of its cost are not "
        "separable",
    }[found.verdict]
    text = f"{said}: AP {100 * searched:.1f} % against {100 * found.others:.1f} % on average"
    ends = [found.relative(value) for value in (found.difference, found.low, found.high)]
    if None not in ends:
        change, low, high = (f"{100 * end:+.1f} %" for end in ends if end is not None)
        text += f", {change} (95 % interval {low} to {high})"
    return f"{text}. A seed's standard deviation is {100 * deviation:.2f} points of AP."


COLUMNS: tuple[tuple[str, str, Kind], ...] = (
    ("model", "model", "text"),
    ("networks", "networks", "count"),
    ("seeds", "seeds", "count"),
    ("MACs", "macs", "scaled"),
    ("params", "params", "scaled"),
    ("AP", "AP", "percent"),
    ("standard deviation", "AP_sd", "percent"),
    ("best AP", "AP_best", "percent"),
    ("AP50", "AP50", "percent"),
    ("searched better by, %", "improvement", "percent"),
    ("from, %", "improvement_low", "percent"),
    ("to, %", "improvement_high", "percent"),
    ("searched is", "verdict", "text"),
)


def random_study(name: str, study: Study) -> tuple[Table, Figure]:
    """A row for the searched network, the random ones together, and the plain one; a dot a training.

    The standard deviation is of seeds, and among random networks of the networks' means.
    """
    rows = [_row(study, kind) for kind in ("searched", "random", "plain")]
    caption = (
        "AP in percent. Standard deviation: over seeds, of the random networks over their means; best: "
        "the best network's mean. The improvement is relative, from–to its 95 % interval by Welch's t "
        "(a seed's variance pooled over all networks). Not separable: below two standard deviations of "
        "a seed, or an interval that holds 0."
    )
    table = Table(name, [Column(*column) for column in COLUMNS], rows, caption)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for row, network in enumerate(study.networks):
            colour = SERIES[0] if network.kind == "searched" else MUTED
            percents = [100 * ap for ap in network.AP]
            axes.plot(percents, [row] * len(percents), "o", color=colour, alpha=0.6, ms=5)
            axes.plot([fmean(percents)], [row], "|", color=colour, ms=14, mew=2)
        mean = 100 * compare(study, "random").others
        axes.axvline(mean, color=MUTED, ls="--", lw=1)
        axes.set_yticks(range(len(study.networks)), [each.name for each in study.networks])
        axes.set_ylim(len(study.networks) - 0.5, -0.5)
        axes.set_xlabel("AP, %")

    title = (
        "AP of networks of the same cost: a dot a training, a line the mean of its seeds; dashed, the "
        "mean of the random networks"
    )
    return table, chart(name, title, paint, (5.0, 0.9 + 0.26 * len(study.networks)))


def _row(study: Study, kind: Name) -> list[Cell]:
    networks = study.of(kind)
    means = [fmean(each.AP) for each in networks]
    several = len(means) > 1
    seeds = [each.AP for each in networks]
    described: list[Cell] = [
        kind,
        len(networks),
        len(seeds[0]),
        round(fmean(each.macs for each in networks)),
        round(fmean(each.params for each in networks)),
        fmean(means),
        stdev(means if several else seeds[0]),
        max(means) if several else None,
        fmean(fmean(each.AP50) for each in networks),
    ]
    if kind == "searched":
        return [*described, None, None, None, ""]
    found = compare(study, kind)
    ends = (found.difference, found.low, found.high)
    return [*described, *map(found.relative, ends), found.verdict]
