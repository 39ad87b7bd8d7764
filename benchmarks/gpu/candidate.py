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
    """Report 2 and 16 images, with the teacher in float32 and in bfloat16."""
    with determinism(True):
        for images in (2,) if bench.tiny else (2, 16):
            for name, precision in (("float32", None), ("bf16", torch.bfloat16)):
                bench.attempt(
                    f"{images} images, teacher {name}",
                    lambda images=images, precision=precision: _step(bench, images, precision),
                )


def _step(bench: Bench, images: int, precision: torch.dtype | None) -> Row:
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
        loss = pair.loss(data, precision)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        float(loss.detach())

    timing = bench.timed(step)
    row: Row = {
        "first step, s": timing.first,
        "later step, s": timing.later,
        "images/s": images / timing.later,
        "peak, GiB": timing.peak,
    }
    if not bench.tiny:
        macs = images * models.candidate_macs(settings, resolution)
        row["GMAC/s"] = macs / timing.later / 1e9
        row["GMAC/s of the plan"] = settings.plan.gpu_gmacs
    return row
