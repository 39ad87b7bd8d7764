"""How early a network's own training tells how good it will be: Kendall's tau of its curves with its AP.

    PYTHONPATH=. .venv/bin/python -m benchmarks.early_ranking results/<run>

The run is one with networks of `hit_ground_truth`, all or some of them. Each line is a number that their
trainings logged, at an iteration: the loss of the pretraining or of the training (the less the better),
accuracy, or AP on the validation split. Its tau says how well it ranks the networks by AP at the end, on the
split they are evaluated on; params and MACs stand beside it.

A training that was lucky is so in its curve and at its end. With `--table`, the CSV file of the ground truth,
the curves are those of the second trainings in the run, and the truth is the AP of the first ones in the
table: how well a short training ranks what another training of the same network will reach.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from benchmarks.ground_truth import read_table
from pipeline.artifacts.files import read_json

RESAMPLES = 1000
"""Of a bootstrap interval."""

CURVES = {
    "pretraining": ("loss", "accuracy", "validation_accuracy"),
    "detector": ("loss", "loss_rpn_cls", "loss_cls", "loss_bbox", "AP"),
}
"""What is read of each history."""

Measured = Mapping[tuple[str, int, str], float]
"""By stage, iteration and name a number, of which more is better."""


def measured(network: Path) -> Measured:
    """The numbers that a network's trainings logged; losses with a minus."""
    return {
        (stage, int(record["iteration"]), name): -record[name] if "loss" in name else record[name]
        for stage, names in CURVES.items()
        if (network / stage / "history.json").exists()
        for record in read_json(network / stage / "history.json")["records"]
        for name in names
        if record.get(name) is not None
    }


def taus(truth: Sequence[float], networks: Sequence[Measured]) -> dict[tuple[str, int, str], float]:
    """Kendall's tau-b of each number that all networks have with the truth, in the order of the first."""
    return {
        key: float(kendalltau(truth, [network[key] for network in networks]).statistic)
        for key in networks[0]
        if all(key in network for network in networks)
    }


def interval(truth: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Of Kendall's tau-b, 95 %: bootstrap over the networks."""
    draws = np.random.default_rng(0).integers(0, len(truth), (RESAMPLES, len(truth)))
    taken = (kendalltau(np.take(truth, draw), np.take(values, draw)).statistic for draw in draws)
    low, high = np.nanpercentile(list(taken), [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True)
class Ranked:
    """A network's AP at the end of a training, its costs, and the curves of a training."""

    AP: float
    macs: float
    params: float
    curves: Measured


def trained(run: Path) -> list[Ranked]:
    """The networks of a run's ground truth that were evaluated, in the order of their numbers."""
    folder = run / "ablations/ground_truth"
    places = [path.parents[1] for path in folder.glob("*/evaluation/metrics.json")]
    return [
        Ranked(found["AP"], found["macs"], found["params"], measured(place))
        for place in sorted(places, key=lambda place: int(place.name))
        for found in [read_json(place / "evaluation/metrics.json")]
    ]


def trained_again(run: Path, table: Path) -> list[Ranked]:
    """The networks that a run trained a second time, with what a table says of their first training."""
    folder = run / "ablations/again/1/ablations/ground_truth"
    return [
        Ranked(row.AP[0], row.macs, row.params, curves)
        for row in read_table(table)
        if (curves := measured(folder / str(row.number)))
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="results/<run>")
    parser.add_argument(
        "--table", type=Path, help="of hit_ground_truth: curves of second trainings"
    )
    given = parser.parse_args()
    found = trained_again(given.run, given.table) if given.table else trained(given.run)
    if len(found) < 3:
        parser.error(f"{given.run} holds {len(found)} such networks; a ranking needs 3")
    truth = [each.AP for each in found]
    print(f"{len(truth)} networks, AP {min(truth):.3f} to {max(truth):.3f}\n")
    print(f"{'of':12} {'iteration':>9}  {'number':20} {'tau':>6}  95 % interval")

    def line(stage: str, iteration: str, name: str, values: Sequence[float]) -> None:
        low, high = interval(truth, values)
        tau = float(kendalltau(truth, values).statistic)
        print(f"{stage:12} {iteration:>9}  {name:20} {tau:6.2f}  {low:.2f} to {high:.2f}")

    for key in ("macs", "params"):
        line("network", "", key, [getattr(each, key) for each in found])
    for key in taus(truth, curves := [each.curves for each in found]):
        stage, iteration, name = key
        line(stage, str(iteration), name, [each[key] for each in curves])


if __name__ == "__main__":
    main()
