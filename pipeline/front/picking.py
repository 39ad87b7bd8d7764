"""The best detector of a front under constraints, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import DetSearchError
from pipeline.front.table import Front, Row, standard_error

GIGA, MEGA = 1e9, 1e6
SAME = 2.0
"""Standard errors of a difference within which two detectors are not told apart."""
NEAR = 0.05
"""Share of an AP that a cheaper detector may lack to be named: few images tell nothing apart."""


@dataclass(frozen=True)
class Constraints:
    """What a detector must meet; `None` is no constraint.

    Attributes:
        max_ms: milliseconds of an image, the measured median.
        min_ap: AP on val, in [0, 1].
        max_gmacs: 10⁹ multiply-accumulates of an image.
        max_params: millions.
    """

    max_ms: float | None = None
    min_ap: float | None = None
    max_gmacs: float | None = None
    max_params: float | None = None

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return any(value is not None for value in vars(self).values())

    def excess(self, row: Row) -> dict[str, float]:
        """By how much of the limit a detector misses each constraint that it does not meet.

        A detector that was not timed misses every limit of time by all.
        """
        ms = row.latency.median if row.latency else float("inf")
        over = {
            f"{ms:.4g} ms": (self.max_ms, ms),
            f"{row.macs / GIGA:.4g} GMACs": (self.max_gmacs, row.macs / GIGA),
            f"{row.params / MEGA:.4g} million parameters": (self.max_params, row.params / MEGA),
        }
        missed = {
            text: value / limit - 1
            for text, (limit, value) in over.items()
            if limit is not None and value > limit
        }
        if self.min_ap is not None and row.val.ap < self.min_ap:
            missed[_on_val(row)] = 1 - row.val.ap / self.min_ap
        return missed


@dataclass(frozen=True)
class Picked:
    """The best, and the one after it.

    Attributes:
        best: under the constraints.
        runner_up: the second; `None` where no other meets them.
        difference: AP on val of the best less that of the runner-up.
        noise: standard error of that difference over the images of val; `None` where it is not known.
        cheaper: the cheapest that the images of val cannot tell from the best, and whose AP there is hardly
            less; `None` where there is none.
    """

    best: Row
    runner_up: Row | None
    difference: float | None
    noise: float | None
    cheaper: Row | None = None

    def hint(self) -> str | None:
        """What to give in order to have the cheaper one; `None` where there is none."""
        if self.cheaper is None:
            return None
        cost, name = self.cheaper.cost, self.cheaper.name
        assert cost is not None
        timed = self.cheaper.latency is not None
        # a hundredth more, so that the limit itself holds it
        limit = f"--max-ms {1.01 * cost:.3g}" if timed else f"--max-gmacs {1.01 * cost / GIGA:.3g}"
        shown = f"{cost:.3g} ms" if timed else f"{cost / GIGA:.3g} GMACs"
        return (
            f"cheaper, and not to be told from it on these images: {name}, {shown}, AP "
            f"{self.cheaper.val.ap:.3f} on val ({limit})"
        )

    def __str__(self) -> str:
        if self.runner_up is None or self.difference is None:
            return f"{self.best.name} is the only one that meets this"
        text = f"next comes {self.runner_up.name}: {self.difference:+.4f} AP on val between them"
        if self.noise is None:
            return f"{text}; how much of that is noise is not known"
        if not self.noise:
            return f"{text}, and no noise: both find the same"
        units = abs(self.difference) / self.noise
        verdict = "more than noise" if units >= SAME else "no more than the noise of these images"
        return f"{text}, {units:.1f} standard errors ({self.noise:.4f}): {verdict}"


def pick(front: Front, constraints: Constraints) -> Picked:
    """The detector with the highest AP on val that meets the constraints; with a least AP alone the cheapest.

    Raises:
        DetSearchError: nothing meets them; says what comes nearest.
    """
    if constraints.max_ms is not None and front.latencies is None:
        raise DetSearchError(
            "--max-ms: no latency was measured in this run (evaluation.latency is null); use --max-gmacs"
        )
    fit = [row for row in front.rows if not constraints.excess(row)]
    if not fit:
        raise DetSearchError(_nearest(front.rows, constraints))
    cheapest = constraints == Constraints(min_ap=constraints.min_ap) and constraints.any
    costs = {row.name: float("inf") if row.cost is None else row.cost for row in fit}
    ordered = sorted(
        fit,
        key=lambda row: (
            (costs[row.name], -row.val.ap) if cheapest else (-row.val.ap, costs[row.name])
        ),
    )
    best, second = ordered[0], ordered[1] if len(ordered) > 1 else None
    return Picked(
        best=best,
        runner_up=second,
        difference=best.val.ap - second.val.ap if second else None,
        noise=standard_error(best, second) if second else None,
        cheaper=_cheaper(best, ordered[1:]),
    )


def _cheaper(best: Row, others: Sequence[Row]) -> Row | None:
    """The cheapest at less cost than the best, with an AP on val within `SAME` standard errors and `NEAR`."""
    if best.cost is None:
        return None
    near = []
    for row in others:
        noise = standard_error(best, row)
        if row.cost is None or noise is None or row.cost >= best.cost:
            continue
        if best.val.ap - row.val.ap < min(SAME * noise, NEAR * best.val.ap):
            near.append(row)
    return min(near, key=lambda row: row.cost or 0.0, default=None)


def _nearest(rows: Sequence[Row], constraints: Constraints) -> str:
    def worst(row: Row) -> float:
        return max(constraints.excess(row).values())

    row = min(rows, key=worst)
    told = [text for text in constraints.excess(row) if text != _on_val(row)]
    return (
        f"nothing meets this; {row.name} comes nearest, with {' and '.join([*told, _on_val(row)])}"
    )


def _on_val(row: Row) -> str:
    return f"AP {row.val.ap:.3f} on val"
