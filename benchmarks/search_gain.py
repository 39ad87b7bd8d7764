"""What the search gained over chance, over several runs: the searched network among random ones of its cost.

    PYTHONPATH=. .venv/bin/python -m benchmarks.search_gain results/<run> [results/<run> ...]

Each run is one with networks of `hit_random`, all or some of them; the runs differ in their seed. A line
for each says what the searched detector, random ones of the same sub search spaces and MACs, and the plain
network reached on the split that they are evaluated on. The gain is the mean over the runs of the searched AP
less the mean of its run's random ones. The control shuffles which network of a run is called searched, in all
ways or in 100,000 drawn ones: its gains say what chance gives, and the share that is as large is the p
of the gain.

Two questions, two standard errors. Is a searched network better than the mean of random ones? The runs are
draws of the whole chain, so the spread of their gains holds all that varies: Student's t over the runs. Could
a network that was drawn blindly have come out as well? It varies as the random ones do: the standard error
beside the control.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts.files import read_json
from pipeline.report.seeds import spread

SHUFFLES = 100_000


@dataclass(frozen=True)
class Trial:
    """One run: AP of the searched detector and of the random ones, and of the plain one if it is there."""

    searched: float
    random: tuple[float, ...]
    plain: float | None

    @property
    def gain(self) -> float:
        """Searched AP less the mean of the random ones."""
        return self.searched - float(np.mean(self.random))

    def gains(self) -> list[float]:
        """The gain with each network of the run called searched in turn, first with the one that was."""
        networks = (self.searched, *self.random)
        return [each - (sum(networks) - each) / (len(networks) - 1) for each in networks]


def control(trials: Sequence[Trial], seed: int = 0) -> np.ndarray:
    """Mean gains of shuffled labels: of all ways to call one network of each run searched, or drawn ones."""
    gains = [np.array(trial.gains()) for trial in trials]
    if math.prod(map(len, gains)) <= SHUFFLES:
        return np.array([np.mean(way) for way in itertools.product(*gains)])
    rng = np.random.default_rng(seed)
    return np.mean([rng.choice(each, SHUFFLES) for each in gains], axis=0)


def standard_error(trials: Sequence[Trial]) -> float:
    """Of the mean gain of networks drawn blindly: the searched one varies as the run's random ones do."""
    variances = [np.var(trial.random, ddof=1) * (1 + 1 / len(trial.random)) for trial in trials]
    return float(np.sqrt(np.sum(variances)) / len(trials))


def read_trial(run: Path) -> Trial | None:
    """What a run holds; None: too little to compare."""

    def ap(network: Path) -> float | None:
        file = network / "evaluation/metrics.json"
        return read_json(file)["AP"] if file.exists() else None

    ablations = run / "ablations"
    searched = ap(run / "hit_detector")
    found = [ap(path) for path in sorted((ablations / "random").glob("*"))]
    random = tuple(value for value in found if value is not None)
    if searched is None or len(random) < 2:
        return None
    return Trial(searched, random, ap(ablations / "plain"))


def main() -> None:
    """Print the table, the gain, and the control."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", help="results/<run>")
    trials = []
    heads = f"{'searched':>8} {'random: mean':>12} {'sd':>6} {'best':>6} {'of':>3} {'plain':>6}"
    print(f"{'run':28} {heads} {'gain':>7}")
    for run in (given := parser.parse_args().runs):
        if (trial := read_trial(run)) is None:
            parser.error(
                f"{run} does not hold the searched detector's evaluation and two random ones'"
            )
        trials.append(trial)
        random = np.array(trial.random)
        plain = "-" if trial.plain is None else f"{trial.plain:.3f}"
        name = run.name if len({each.name for each in given}) == len(given) else str(run)[-28:]
        print(
            f"{name:28} {trial.searched:8.3f} {random.mean():12.3f} {random.std(ddof=1):6.3f} "
            f"{random.max():6.3f} {len(random):3} {plain:>6} {trial.gain:+7.3f}"
        )
    gain, error, shuffled = (
        np.mean([t.gain for t in trials]),
        standard_error(trials),
        control(trials),
    )
    print(f"\ngain {gain:+.4f}")
    over = spread([trial.gain for trial in trials])
    if over.deviation is not None:
        own = over.deviation / math.sqrt(len(trials))
        print(
            f"over {len(trials)} runs: standard error {own:.4f}, {gain / own:.1f} of them; "
            f"95 % interval {over.low:+.4f} to {over.high:+.4f}"
        )
    print(f"of networks drawn blindly: standard error {error:.4f}, {gain / error:.1f} of them")
    print(
        f"labels shuffled: mean gain {shuffled.mean():+.4f}, standard deviation {shuffled.std():.4f}; "
        f"p {np.mean(shuffled >= gain - 1e-12):.4f}"
    )


if __name__ == "__main__":
    main()
