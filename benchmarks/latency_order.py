"""Whether two measurements put the members of a front into the same order by latency.

    PYTHONPATH=. .venv/bin/python -m benchmarks.latency_order results/<run> [--members 10]

The run is one after `snakemake front`. Members from the cheapest to the dearest, spread evenly, are made
ready as for the front, and all are timed together, interleaved, as `evaluation.latency` of the run says.
Then all are timed again, in other orders. The line holds where Kendall's tau of the two columns is at least
0.9, or where all pairs that swap are apart by no more than their spread: the wider of their two ranges
between quartiles, in either measurement.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau

from pipeline.artifacts.manifest import MANIFEST, open_artifact
from pipeline.artifacts.typed import read_as
from pipeline.config.evaluation import LatencyConfig
from pipeline.deploy.latency import Latencies, ModelLatency
from pipeline.errors import DetSearchError
from pipeline.front.clocking import Clock, Loaded
from pipeline.front.table import FRONT, Front, Row
from pipeline.front.taking import dataset_of, made_again

LEAST_TAU = 0.9
DISTURBED = 0.25
"""Spread over median from which on a measurement says little: alone on a machine it is about a tenth."""


class Swap(NamedTuple):
    """Two members that are in one order in the first measurement, and in the other one in the second.

    Attributes:
        names: of the two.
        apart: milliseconds between their medians, in each measurement.
        spread: the wider of their two ranges between quartiles, in each measurement, milliseconds.
    """

    names: tuple[str, str]
    apart: tuple[float, float]
    spread: tuple[float, float]

    @property
    def within(self) -> bool:
        """Whether the spread explains the swap, in both measurements."""
        return all(apart <= spread for apart, spread in zip(self.apart, self.spread, strict=True))


def spread_over(rows: Sequence[Row], count: int) -> list[Row]:
    """So many subnets of a front, by rising cost: the first, the last, and others evenly between them.

    Raises:
        DetSearchError: there are fewer than two, which have no order.
    """
    subnets = sorted(
        (row for row in rows if row.kind == "subnet"), key=lambda row: (row.cost or 0.0, row.name)
    )
    if min(len(subnets), count) < 2:
        raise DetSearchError(f"{min(len(subnets), count)} member(s) of the front have no order")
    places = np.linspace(0, len(subnets) - 1, min(count, len(subnets))).round().astype(int)
    return [subnets[place] for place in places]


def swaps(first: Sequence[ModelLatency], second: Sequence[ModelLatency]) -> list[Swap]:
    """The pairs whose order differs between two measurements of the same members."""
    found: list[Swap] = []
    for one, other in combinations(range(len(first)), 2):
        pairs = [(times[one], times[other]) for times in (first, second)]
        before, after = (a.median - b.median for a, b in pairs)
        if before * after < 0:
            widest = [max(a.spread, b.spread) for a, b in pairs]
            found.append(
                Swap(
                    (first[one].model, first[other].model),
                    (abs(before), abs(after)),
                    (widest[0], widest[1]),
                )
            )
    return found


def tau(first: Sequence[ModelLatency], second: Sequence[ModelLatency]) -> float:
    """Kendall's tau-b of the medians of two measurements of the same members."""
    columns = ([each.median for each in times] for times in (first, second))
    return float(kendalltau(*columns).statistic)


def holds(first: Sequence[ModelLatency], second: Sequence[ModelLatency]) -> bool:
    """Whether the order is the same, or differs by no more than the spread explains."""
    return tau(first, second) >= LEAST_TAU or all(swap.within for swap in swaps(first, second))


def verdict(first: Sequence[ModelLatency], second: Sequence[ModelLatency]) -> str:
    """`holds` in words, and whether the machine was quiet enough to say so."""
    if tau(first, second) >= LEAST_TAU:
        found = f"the order is the same: tau is at least {LEAST_TAU}"
    elif holds(first, second):
        found = "the order differs by no more than the spread"
    else:
        found = "the order differs by more than the spread"
    spreads = [median(each.spread / each.median for each in times) for times in (first, second)]
    shown = " and ".join(f"{100 * spread:.0f} %" for spread in spreads)
    found += f"; the spread is {shown} of the latency"
    if max(spreads) > DISTURBED:
        found += ": the machine was not quiet, so this says little"
    return found


def text(first: Sequence[ModelLatency], second: Sequence[ModelLatency]) -> str:
    """Both columns, with the place of each member in them; tau; and what became of each swapped pair."""
    lines = [
        "| member | first: median, quartiles, ms | place | second: median, quartiles, ms | place |",
        "|---|---|---|---|---|",
    ]
    places = [
        np.argsort(np.argsort([each.median for each in times], kind="stable")) + 1
        for times in (first, second)
    ]
    for number, pair in enumerate(zip(first, second, strict=True)):
        cells = (
            f"{each.median:.3f} [{each.lower_quartile:.3f}, {each.upper_quartile:.3f}] | "
            f"{place[number]}"
            for each, place in zip(pair, places, strict=True)
        )
        lines.append(f"| {first[number].model} | {' | '.join(cells)} |")
    found = swaps(first, second)
    lines.append(f"\nKendall's tau {tau(first, second):.3f}, pairs that swap: {len(found)}")
    for swap in found:
        lines.append(
            f"{' and '.join(swap.names)}: {swap.apart[0]:.3f} and {swap.apart[1]:.3f} ms apart, spread "
            f"{swap.spread[0]:.3f} and {swap.spread[1]:.3f} ms: "
            f"{'within' if swap.within else 'BEYOND'} the spread"
        )
    return "\n".join(lines)


def measured_twice(run: Path, members: int) -> tuple[Latencies, Latencies]:
    """Two measurements of members of a run's front; nothing is written into the run.

    Raises:
        DetSearchError: the run has no front, or one without times; or what it is made from is altered.
    """
    path = run / "front" / MANIFEST
    if not path.is_file():
        raise DetSearchError(f"{run} has no front: run `snakemake front` first")
    manifest = open_artifact(path)
    if not manifest.config["latency"]:
        raise DetSearchError(f"{run} has a front without times: evaluation.latency is null")
    chosen = spread_over(read_as(path.parent / FRONT, Front).rows, members)
    data = dataset_of(run, manifest)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(
            LatencyConfig.model_validate(manifest.config["latency"]), data.classes, Path(folder)
        )
        for row in chosen:
            clock.add(Loaded(row.name, made_again(run, row, manifest).model, row.resolution))
        return clock.time(data, seed=0), clock.time(data, seed=1)


def main() -> None:
    """Run the command line; exit code 1 where the orders differ by more than the spread."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="results/<run>, after `snakemake front`")
    parser.add_argument("--members", type=int, default=10, help="how many (10)")
    arguments = parser.parse_args()
    try:
        first, second = measured_twice(arguments.run, arguments.members)
    except DetSearchError as error:
        parser.error(str(error))
    print(
        f"{len(first.models)} members, {first.runtime} on {first.device}, threads: {first.threads}, "
        f"{first.images} images, {first.rounds} rounds\n"
    )
    print(text(first.models, second.models))
    print(verdict(first.models, second.models))
    sys.exit(not holds(first.models, second.models))


if __name__ == "__main__":
    main()
