"""What Joint-DetNAS gains, over several seeds: the student against its base, the search against a random one.

Reads runs that hold both searches, such as three seeds:

    for seed in 0 1 2; do
        snakemake --cores 2 joint_table4 joint_random --config run="{name: joint$seed, seed: $seed}"
    done
    python -m benchmarks.joint_gain results/joint0 results/joint1 results/joint2

AP in points, on the images that detectors are evaluated on; H is that of the search, on the images that it
looks at. Each difference is paired by seed, with the 95 % interval of Student's t.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import t as student_t

from pipeline.artifacts.files import read_json
from pipeline.hill_climb.descent import DESCENT, TEACHER, Descent, change_of

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Run:
    """What is compared of a run.

    Attributes:
        name: of its folder.
        ap: of `base`, `base_longer`, `student` and `random`, in points.
        macs: of `base` and `student`.
        score: the best H of the `search` and of the `random` one; of the `unranked` one, where it ran.
        line: what each candidate of the student's line changed.
        teachers: candidates of the search whose teacher was mutated, and all candidates.
    """

    name: str
    ap: dict[str, float]
    macs: dict[str, int]
    score: dict[str, float]
    line: tuple[str, ...]
    teachers: tuple[int, int]

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read a run's folder.

        Raises:
            ArtifactError: a file is missing or no JSON.
        """
        joint = folder / "joint_detnas"
        places = {"base": "base", "base_longer": "base_longer", "student": "student"}
        metrics = {
            name: read_json(joint / place / "evaluation/metrics.json")
            for name, place in {**places, "random": "random/student"}.items()
        }
        searches = {
            name: Descent.load(joint / place / "descent" / DESCENT)
            for name, place in (
                ("search", "hill_climb"),
                ("random", "random"),
                ("unranked", "unranked"),
            )
            if name != "unranked" or (joint / place / "descent" / DESCENT).exists()
        }
        search = searches["search"]
        changes = [change_of(one) for one in search.evaluations.values()]
        return cls(
            name=folder.name,
            ap={name: 100 * each["AP"] for name, each in metrics.items()},
            macs={name: metrics[name]["macs"] for name in ("base", "student")},
            score={name: each.best.best.score for name, each in searches.items()},
            line=tuple(change_of(one) for one in search.line(search.best)),
            teachers=(changes.count(TEACHER), len(changes)),
        )


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """The mean of paired differences, and half of the width of its 95 % interval (infinite for one)."""
    count = len(differences)
    if count == 1:
        return differences[0], float("inf")
    quantile = float(student_t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return fmean(differences), quantile * stdev(differences) / sqrt(count)


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each run, the mean differences, and the changes of each student's line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs: results/<run>")
    runs = [Run.read(folder) for folder in parser.parse_args(argv).runs]
    print("run           MACs   AP: base  longer  student  random   H: search  random")
    for run in runs:
        ap, score = run.ap, run.score
        print(
            f"{run.name:12} {run.macs['student'] / run.macs['base']:5.2f}   {ap['base']:8.2f}"
            f"{ap['base_longer']:8.2f}{ap['student']:9.2f}{ap['random']:8.2f}"
            f"   {score['search']:9.4f}{score['random']:8.4f}"
        )
    comparisons = [
        ("AP, student less base", [run.ap["student"] - run.ap["base"] for run in runs]),
        ("AP, less base longer", [run.ap["student"] - run.ap["base_longer"] for run in runs]),
        ("AP, less random", [run.ap["student"] - run.ap["random"] for run in runs]),
        *(
            (f"H, search less {other}", [run.score["search"] - run.score[other] for run in runs])
            for other in ("random", "unranked")
            if all(other in run.score for run in runs)
        ),
    ]
    for name, differences in comparisons:
        mean, half = interval(differences)
        print(f"{name:24} {mean:+8.4f}  ({mean - half:+.4f} to {mean + half:+.4f})")
    for run in runs:
        mutated, candidates = run.teachers
        print(f"{run.name}: {mutated} of {candidates} mutate the teacher; {', '.join(run.line)}")


if __name__ == "__main__":
    main()
