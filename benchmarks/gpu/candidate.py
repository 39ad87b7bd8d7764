"""A training step of a candidate: the ResNet-50 student with the pool's largest net as teacher."""

from __future__ import annotations

import torch

from benchmarks.gpu import models
from benchmarks.gpu.bench import Bench, determinism
from benchmarks.gpu.report import Row

RESOLUTION = (1080, 720)
"""Width and height: of the pool's resolutions one in the middle."""
TINY = (64, 64)


def candidate(bench: Bench) -> None:
    """Report 2 and 16 images in both precisions, as `run.precision` has them."""
    precisions: tuple[models.Precision, ...] = ("float32", "bf16")
    with determinism(False):
        for images in (2,) if bench.tiny else (2, 16):
            for precision in precisions:
                bench.attempt(
                    f"{images} images, {precision}",
                    lambda images=images, precision=precision: _step(bench, images, precision),
                )


def _step(bench: Bench, images: int, precision: models.Precision) -> Row:
    settings = models.config("test" if bench.tiny else "paper")
    classes = models.TINY_CLASSES if bench.tiny else models.CLASSES
    resolution = TINY if bench.tiny else RESOLUTION
    student = (
        models.pool_net(settings, classes, largest=False)
        if bench.tiny
        else models.resnet50(settings)
    )
    teacher = models.pool_net(settings, classes, largest=True)
    pair = models.Distilled(settings, student, teacher).to(bench.device).train()
    trained = [each for each in pair.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, 1e-4, 0.9)
    data = models.batch(images, resolution, classes)

    def step() -> None:
        models.seed_everything(3)
        loss = pair.loss(data)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        float(loss.detach())

    with models.in_precision(precision):
        timing = bench.timed(step)
    row: Row = {
        "first step, s": timing.first,
        "later step, s": timing.later,
        "images/s": images / timing.later,
        "peak, GiB": timing.peak,
    }
    if not bench.tiny:
        work = models.candidate_work(settings, resolution) * images
        row["GMAC/s"] = work.macs / timing.later / 1e9
        row["s of the plan"] = models.planned_seconds(settings, work, images, precision)
    return row
