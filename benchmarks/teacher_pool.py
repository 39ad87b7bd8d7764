"""How long it takes to draw a teacher from the paper's full-size pool and to put it on disk.

The pool is section 4's: bottleneck ResNets of [2,2,2,2] to [3,4,23,3] blocks, three widths, 80 classes.
A teacher is extracted once its architecture file and its weights (safetensors) are written. Weights are
random: time and size do not depend on their values. Building the mmdet detector to use a teacher is
printed apart. Beside the seconds on the clock, which hold waiting for the disk and for neighbours on the
machine, stand the processor's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from pipeline.artifacts.weights import load_weights, save_weights
from pipeline.config.teacher_pool import PoolSpace
from pipeline.detection.builder import Surroundings, build_detector, register_modules
from pipeline.detection.detector_folder import load_strictly
from pipeline.teacher_pool.detector import ElasticDetector, subnet_complexity
from pipeline.teacher_pool.space import Subnet, SubnetSpace

LIMIT = 10.0
"""Seconds in which a teacher is to be drawn and extracted on two cores."""


class Clock:
    """Seconds since the last reading."""

    def __init__(self) -> None:
        self.last = time.perf_counter()

    def read(self) -> float:
        """Seconds since the last call, or the start."""
        before, self.last = self.last, time.perf_counter()
        return self.last - before


def extract(
    elastic: ElasticDetector, name: str, choose: Callable[[], Subnet], folder: Path
) -> tuple[float, float]:
    """Choose a subnet, extract it, print its line; the seconds it took, on the clock and of work."""
    clock, work = Clock(), time.process_time()
    subnet = choose()
    elastic.set_active_subnet(subnet)
    activated = clock.read()
    teacher = elastic.get_active_subnet()
    sliced = clock.read()
    teacher.architecture.save(folder / "architecture.json")
    save_weights(folder / "weights.safetensors", teacher.weights)
    written = clock.read()
    work = time.process_time() - work
    model = build_detector(teacher.architecture, Surroundings())
    built = clock.read()
    load_strictly(model, load_weights(folder / "weights.safetensors")[0], folder)
    loaded = clock.read()
    cost = subnet_complexity(elastic.space, subnet, 1000).total
    total = activated + sliced + written
    print(
        f"  {name:9} {cost.params / 1e6:6.1f} M parameters {cost.macs / 1e9:6.1f} GMACs | "
        f"activate {activated:5.2f}  slice {sliced:5.2f}  write {written:5.2f}  = {total:5.2f} s "
        f"({work:5.2f} s of work) | then build {built:5.2f}  load {loaded:5.2f} s"
    )
    return total, work


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--teachers", type=int, default=3, help="teachers drawn at random")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    register_modules()
    space = SubnetSpace.whole(PoolSpace(), classes=80)
    clock = Clock()
    elastic = ElasticDetector(space, Surroundings())
    print(f"the paper's pool: {space.size():,} subnets; built in {clock.read():.1f} s")
    elastic.sort_channels()
    print(f"channels sorted by importance in {clock.read():.1f} s")
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        cases = {"largest": lambda: space.largest, "smallest": lambda: space.smallest}
        for number in range(1, arguments.teachers + 1):
            cases[f"drawn {number}"] = lambda: elastic.sample_active_subnet(rng)
        results = [extract(elastic, name, case, Path(folder)) for name, case in cases.items()]
    for seconds, name in zip(map(max, zip(*results, strict=True)), ("clock", "work"), strict=True):
        print(f"slowest, {name:5}: {seconds:5.2f} s; limit : ours {LIMIT / seconds:.1f}")


if __name__ == "__main__":
    main()
