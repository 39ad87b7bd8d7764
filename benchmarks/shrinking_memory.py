"""How much memory a step of the pool's shrinking takes.

A step of the last phase, as `Shrinking` takes it: the fixed teacher's pyramid, then the largest net and
the drawn subnets, each forward, distilled and backward, then the optimiser; two steps, since the first
one allocates the optimiser's state.

At the scale of the embedded run the step is real, and the process's resident set is printed beside the
bytes of live tensors. At the paper's scale the same code runs on fake tensors, at the largest resolution,
with a GPU's share of the batch: the peak of live bytes is computed, nothing of it is allocated. The
embedded step is computed in this way, too, to compare the two. What the computation cannot know is set to
the most there can be: every image gives as many proposals, and as many positive ones, as the config
allows.
"""

from __future__ import annotations

import argparse
import resource
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.live_memory import Decisions, LiveBytes, fake_copies
from pipeline.config.files import load_config_files
from pipeline.config.root import Config
from pipeline.detection.builder import Surroundings, register_modules
from pipeline.teacher_pool.detector import ElasticDetector, subnet_complexity
from pipeline.teacher_pool.shrinking import Shrinking
from pipeline.teacher_pool.space import SubnetSpace

LIMIT = 3.0
"""GiB that the process of a shrinking step at the embedded scale may take."""
GIB = 2**30
OBJECTS = 20
"""True objects of an image."""


class _Images:
    """Stands where a data set stands; the batches are made here."""

    def __len__(self) -> int:
        return 64


@dataclass(frozen=True)
class Peak:
    """Bytes of a step: what stays between steps, and the most during one."""

    parameters: int
    gradients: int
    optimizer: int
    peak: int


def batch(images: int, resolution: tuple[int, int], classes: int) -> dict[str, list[Any]]:
    """Images of noise that fill a resolution, with objects of many sizes."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    longest, shortest = resolution
    rng = np.random.default_rng(0)
    inputs, samples = [], []
    for _ in range(images):
        inputs.append(torch.randint(0, 256, (3, shortest, longest), dtype=torch.uint8))
        shape = (shortest, longest)
        sample: Any = DetDataSample(
            metainfo={"img_shape": shape, "ori_shape": shape, "scale_factor": (1.0, 1.0)}
        )
        corner = rng.uniform(0, 0.6, (OBJECTS, 2))
        sides = rng.uniform(0.1, 0.4, (OBJECTS, 2))
        boxes = np.concatenate([corner, corner + sides], 1) * np.array(resolution * 2)
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32),
            labels=torch.tensor(rng.integers(classes, size=OBJECTS)),
        )
        samples.append(sample)
    return {"inputs": inputs, "data_samples": samples}


def shrinking_step(config: Config, images: int, classes: int, *, fake: bool) -> Peak:
    """Count a step of the last phase.

    Args:
        config: of the run.
        images: in the batch.
        classes: of objects.
        fake: compute with fake tensors.
    """
    pool, phase = config.teacher_pool, config.teacher_pool.phases[-1]
    around = Surroundings(config.detector, config.testing, config.normalization)
    rois = images * config.detector.roi_samples

    def selected(entries: int) -> int:
        """Of the anchors all; of the RoIs of a batch a quarter, that are positive or on one level."""
        return entries if entries >= 4000 else entries // 4 if entries == rois else entries // 2

    live = LiveBytes()
    with ExitStack() as stack:
        if fake:
            stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
            stack.enter_context(Decisions(selected))
            stack.enter_context(fake_copies())
        elastic = ElasticDetector(SubnetSpace.whole(pool.space, classes), around)
        teacher = ElasticDetector(elastic.space, around).model.eval()
        space = SubnetSpace.of_phase(pool.space, classes, phase)
        largest = len(space.choices["resolution"]) - 1
        datasets = [_Images()] * (largest + 1)
        task = Shrinking(elastic, teacher, space, phase, pool.distillation, datasets, seed=0)
        elastic.model.train()
        iteration = next(k for k in range(1000) if task.stream.choice(k) == largest)
        data = batch(images, space.choices["resolution"][largest], classes)
        stack.enter_context(live)
        assert task.distiller is not None
        held = [*elastic.model.parameters(), *elastic.model.buffers(), *teacher.parameters()]
        parameters = live.count([*held, *teacher.buffers(), *task.distiller.parameters()])
        for _ in range(2):
            live.peak = live.now
            task.step(iteration, data)
        trained = [*elastic.model.parameters(), *task.distiller.parameters()]
        gradients = sum(p.grad.nbytes for p in trained if p.grad is not None)
        state = task.optimizer.state.values()
        values = [value for each in state for value in each.values()]
        optimizer = sum(value.nbytes for value in values if isinstance(value, torch.Tensor))
        return Peak(parameters, gradients, optimizer, live.peak)


def show(name: str, peak: Peak) -> None:
    """Print a line."""
    print(
        f"  {name:22} peak {peak.peak / GIB:7.3f} GiB   of it both nets' weights "
        f"{peak.parameters / GIB:.3f}, gradients {peak.gradients / GIB:.3f}, "
        f"optimiser {peak.optimizer / GIB:.3f}",
        flush=True,
    )


def resident() -> float:
    """The largest resident set that this process has had, GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paper", type=Path, default=Path("config/paper.yaml"))
    arguments = parser.parse_args()
    torch.manual_seed(0)
    register_modules()

    embedded = load_config_files()
    images, classes = embedded.teacher_pool.phases[-1].batch_size, 10
    print(f"the embedded run: {images} images of {embedded.teacher_pool.space.resolutions[-1]}")
    before = resident()
    real = shrinking_step(embedded, images, classes, fake=False)
    after = resident()
    show("real tensors", real)
    computed = shrinking_step(embedded, images, classes, fake=True)
    show("fake tensors", computed)
    print(f"  fake : real peak       {computed.peak / real.peak:.3f}")
    print(f"  resident set           {after:.3f} GiB ({before:.3f} before the nets were built)")
    print(f"  limit : ours           {LIMIT / after:.1f}")

    paper = load_config_files([arguments.paper])
    pool = paper.teacher_pool
    images = pool.phases[-1].batch_size // (paper.run.reference_gpus or paper.run.gpus)
    space = SubnetSpace.whole(pool.space, 80)
    cost = subnet_complexity(space, space.largest, paper.testing.proposals).total
    print(
        f"the paper's scale: {images} images a GPU of {space.largest.resolution}, largest net "
        f"{cost.params / 1e6:.1f} M parameters, {cost.macs / 1e9:.1f} GMACs, float32"
    )
    show("fake tensors", shrinking_step(paper, images, 80, fake=True))


if __name__ == "__main__":
    main()
