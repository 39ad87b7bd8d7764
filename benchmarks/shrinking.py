"""What the shrinking did to a pool: its largest and smallest net after phase 0 and after the last phase.

Reads runs that `snakemake teacher_pool` made, such as three seeds:

    for seed in 0 1 2; do
        snakemake --cores 2 teacher_pool --config run="{name: pool$seed, seed: $seed}"
    done
    python -m benchmarks.shrinking results/pool0 results/pool1 results/pool2

Each phase evaluates both nets, as subnets cut from its weights, with recalibrated batch statistics; the
smallest one of phase 0 was never trained as such. AP in points, on the validation images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.artifacts.files import read_json
from pipeline.artifacts.manifest import MANIFEST, Manifest

LARGEST_LOSS = 2.0
"""AP points that the largest net may lose in all later phases together."""


def phases(run: Path) -> list[Path]:
    """The published phases of a run, in order.

    Raises:
        SystemExit: there are fewer than two.
    """
    folders = (run / "joint_detnas/teacher_pool").glob("phase_*")
    found = sorted(
        (folder for folder in folders if (folder / MANIFEST).exists()),
        key=lambda folder: int(folder.name.removeprefix("phase_")),
    )
    if len(found) < 2:
        raise SystemExit(
            f"{run} holds {len(found)} trained phases of a teacher pool, not two or more"
        )
    return found


def points(phase: Path, net: str) -> float:
    """AP of a phase's `largest` or `smallest` net."""
    return 100 * read_json(phase / "metrics.json")[net]["AP"]


def main() -> None:
    """Print a line for each run, and whether it kept to what is asked of the shrinking."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs: results/<run>")
    print(
        "run           seed   seconds   largest: phase 0   last   gain   smallest: phase 0   last   gain"
    )
    kept = True
    for run in parser.parse_args().runs:
        trained = phases(run)
        manifests = [Manifest.load(phase / MANIFEST) for phase in trained]
        seconds = sum(manifest.wall_seconds for manifest in manifests)
        ends = [
            (points(trained[0], net), points(trained[-1], net)) for net in ("largest", "smallest")
        ]
        (before, after), (cut, shrunk) = ends
        kept = kept and before - after <= LARGEST_LOSS and shrunk > cut
        print(
            f"{run.name:14}{manifests[0].seed:4} {seconds:9.0f} {before:18.1f} {after:6.1f} "
            f"{after - before:+6.1f} {cut:19.1f} {shrunk:6.1f} {shrunk - cut:+6.1f}"
        )
    print(
        f"the largest net lost at most {LARGEST_LOSS:g} points, and the smallest one gained, in "
        f"{'every run' if kept else 'NOT every run'}"
    )


if __name__ == "__main__":
    main()
