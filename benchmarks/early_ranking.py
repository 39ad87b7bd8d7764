"""How early a network's own training tells how good it will be: Kendall's tau of its curves with its AP.

    PYTHONPATH=. .venv/bin/python -m benchmarks.early_ranking results/<run>

The run is one with networks of `hit_ground_truth`, all or some of them. Each line is a number that their
trainings logged, at an iteration: the loss of the pretraining or of the training (the less the better),
accuracy, or AP on the validation split. Its tau says how well it ranks the networks by AP at the end, on the
split they are evaluated on; params and MACs stand beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from scipy.stats import kendalltau

from pipeline.artifacts.files import read_json

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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="results/<run>")
    folder = parser.parse_args().run / "ablations/ground_truth"
    evaluated = sorted(
        (path.parents[1] for path in folder.glob("*/evaluation/metrics.json")),
        key=lambda path: int(path.name),
    )
    if len(evaluated) < 3:
        parser.error(f"{folder} holds {len(evaluated)} evaluated networks; a ranking needs 3")
    metrics = [read_json(path / "evaluation/metrics.json") for path in evaluated]
    truth = [each["AP"] for each in metrics]
    print(f"{len(truth)} networks, AP {min(truth):.3f} to {max(truth):.3f}\n")
    print(f"{'of':12} {'iteration':>9}  {'number':20} {'tau':>6}")
    for key in ("macs", "params"):
        value = float(kendalltau(truth, [each[key] for each in metrics]).statistic)
        print(f"{'network':12} {'':>9}  {key:20} {value:6.2f}")
    for (stage, iteration, name), value in taus(truth, [measured(p) for p in evaluated]).items():
        print(f"{stage:12} {iteration:9}  {name:20} {value:6.2f}")


if __name__ == "__main__":
    main()
