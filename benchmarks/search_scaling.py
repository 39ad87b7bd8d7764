"""What 8, 32 and 128 GPUs give for the paper's hill climbing, simulated from measured durations.

    PYTHONPATH=. .venv/bin/python benchmarks/search_scaling.py results/<run>

The spread of durations is that of a run's trainings which are candidates of the hill climbing or stand in
for them (students, baselines): each time divided by their mean. The mean of a candidate at the paper's scale
is reckoned: the epochs of section 4.2 on COCO, a ResNet-101 student with the forward pass of a teacher
half-way between the pool's smallest and largest net, at the throughput of the config's section `plan`.
A generation waits for its last candidate; the table says what share of all GPU time is lost by that.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.config.files import load_config_files
from pipeline.plan.images import count_images
from pipeline.plan.network import architecture_cost
from pipeline.plan.schedule import simulate_search
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.zoo.architectures import zoo_architecture

STAGES = ("evaluate_candidate", "train_student", "train_detector")
"""Stages whose durations are taken: the first kind that the run has at least two of."""
PAPER = Path(__file__).parents[1] / "config" / "paper.yaml"
EPOCHS = 3
SEARCHED = 100
"""Architectures that the paper's search evaluated (Joint-DetNAS, Table 7)."""
START_SECONDS, BETWEEN_SECONDS = 20.0, 40.0
"""Of a job before its stage trains, and of ranking and proposing: measured on a local SLURM."""


def measured(run: Path) -> tuple[str, list[float]]:
    """A kind of stage of a run, and the seconds that each of them took."""
    manifests = [Manifest.load(folder / MANIFEST) for folder in artifact_folders(run)]
    for stage in STAGES:
        seconds = [each.wall_seconds for each in manifests if each.stage == stage]
        if len(seconds) > 1:
            return stage, seconds
    sys.exit(f"{run} has no two trainings of {', '.join(STAGES)}")


def candidate_hours() -> float:
    """GPU-hours of a candidate at the paper's scale."""
    config = load_config_files([PAPER])
    rois = config.detector.roi_samples
    space = SubnetSpace.whole(config.teacher_pool.space, 80)
    least = space.smallest.model_copy(update={"resolution": space.largest.resolution})
    ends = [architecture_cost(space.architecture(net), rois) for net in (least, space.largest)]
    teacher = sum(end.whole.macs for end in ends) / 2
    student = architecture_cost(zoo_architecture("fpn_r101"), rois).step_macs
    images = EPOCHS * count_images(config).train
    return images * (student + teacher) / (config.plan.gpu_gmacs * 1e9) / 3600


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, help="results/<run>")
    parser.add_argument(
        "--candidates", type=int, nargs="+", default=[8, 32], help="of a generation"
    )
    parser.add_argument("--hours", type=float, help="GPU-hours of a candidate; by default reckoned")
    arguments = parser.parse_args()
    stage, seconds = measured(arguments.run)
    mean = sum(seconds) / len(seconds)
    spread = [each / mean for each in seconds]
    hours = arguments.hours or candidate_hours()
    print(
        f"durations of {len(seconds)} × {stage} in {arguments.run}: {min(spread):.2f} to"
        f" {max(spread):.2f} of their mean; a candidate of the paper: {hours:.1f} GPU-hours;"
        f" {SEARCHED} candidates"
    )
    print("GPUs  each  K   generations     days  speed-up    busy  barrier  no candidate")
    for candidates in arguments.candidates:
        generations = math.ceil(SEARCHED / candidates)
        for each in (1, 8):
            single = None
            for gpus in (8, 32, 128):
                found = simulate_search(
                    [3600 * hours / each * share for share in spread],
                    gpus=gpus,
                    gpus_each=each,
                    generations=generations,
                    candidates=candidates,
                    overhead=START_SECONDS,
                    between=BETWEEN_SECONDS,
                )
                single = single or found.seconds
                print(
                    f"{gpus:4}  {each:4} {candidates:3}  {generations:11}  {found.seconds / 86400:7.2f}"
                    f"  {single / found.seconds:8.2f}  {found.busy:6.0%}  {found.barrier:7.0%}"
                    f"  {found.idle:12.0%}"
                )


if __name__ == "__main__":
    main()
