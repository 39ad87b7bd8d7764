r"""Two candidates on two nodes of a real local SLURM, against one after another.

    PYTHONPATH=.:tests/workflow:tests/slurm .venv/bin/python benchmarks/candidates_side_by_side.py

Each candidate is a job of its own that trains a network, on one thread. The ratio of the times is printed,
side by side : one after another. It would be 0.5 if nothing were shared; what keeps it above is printed with
it: the driver's and the jobs' start-up, and what two trainings take from each other on one machine (memory
bandwidth, caches), seen in how much longer each takes beside the other.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from local_cluster import LocalCluster, missing_programs
from slurm_run import SlurmRun
from workflow_project import copy_project

from pipeline.artifacts.manifest import MANIFEST, Manifest

NAMES = ("first", "second")
GOAL = 0.6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--network", default="fpn_r18", help="of the zoo")
    parser.add_argument("--epochs", type=int, default=40, help="of each training")
    arguments = parser.parse_args()
    if missing := missing_programs():
        sys.exit(f"SLURM is not installed: {', '.join(missing)} missing")
    network = {"zoo": arguments.network, "width": 0.25, "head_width": 0.125}
    values = {
        "run": {"name": "test", "cpus": 1},
        "data": {
            "detection": {"embedded": {"train_images": 96, "image_size": 128}},
            "classification": {"source": "none"},
        },
        "detector": {"image_scale": [128, 128]},
        "training": {"epochs": arguments.epochs, "validation_interval": arguments.epochs},
        "baselines": dict.fromkeys(NAMES, network),
    }
    with tempfile.TemporaryDirectory() as name, LocalCluster(nodes=2, gpus=1, cpus=1) as cluster:
        run = SlurmRun(copy_project(Path(name)), cluster, values)
        artifacts = [f"baselines/{each}/detector" for each in NAMES]
        targets = [run.target(artifact) for artifact in artifacts]
        run.locally(*(run.target(f"baselines/{each}") for each in NAMES))
        seconds, trained = {}, {}
        for label, at_once in (("one after another", 1), ("side by side", 2)):
            for artifact in artifacts:
                run.remove(artifact)
            began = time.monotonic()
            run.run(*targets, "--jobs", str(at_once))
            seconds[label] = time.monotonic() - began
            manifests = [Manifest.load(run.folder(each) / MANIFEST) for each in artifacts]
            nodes = [manifest.job.node for manifest in manifests if manifest.job]
            trained[label] = sum(manifest.wall_seconds for manifest in manifests) / len(manifests)
            print(
                f"{label}: {seconds[label]:.1f} s, on {', '.join(nodes)}; each stage"
                f" {trained[label]:.1f} s",
                flush=True,
            )
        alone, beside = trained["one after another"], trained["side by side"]
        ratio = seconds["side by side"] / seconds["one after another"]
        print(f"ratio {ratio:.2f} (goal: at most {GOAL})")
        print(
            f"limits: {seconds['side by side'] - beside:.1f} s of the shorter run are no training"
            f" (driver, jobs' start-up); a training takes {beside / alone:.2f} times as long beside another"
        )
    sys.exit(ratio > GOAL)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
