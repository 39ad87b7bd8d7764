"""A step of the joint screening at the paper's scale, against what `plan` says."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.gpu import models
from benchmarks.gpu.bench import GIB, Bench, determinism
from benchmarks.gpu.report import Row


@dataclass(frozen=True)
class Case:
    """A way to compute the step.

    Attributes:
        name: for people.
        fill: fill memory that is not initialised.
        deterministic: ask for deterministic algorithms.
        contiguous: NCHW instead of channels last.
        bf16: under autocast.
        paths: candidates that a step runs in each layer; all where None.
        stored: how many candidates there are, with stored activations; all, recomputed, where None.
    """

    name: str
    fill: bool = False
    deterministic: bool = True
    contiguous: bool = False
    bf16: bool = False
    paths: int | None = None
    stored: int | None = None


CASES = (
    Case("no fill"),
    Case("no fill, contiguous", contiguous=True),
    Case("no fill, autocast bf16", bf16=True),
    Case("no fill, not deterministic", deterministic=False),
    Case("as the stages compute: with fill", fill=True),
    Case("no fill, 4 paths", paths=4),
    Case("no fill, 2 of the candidates, stored", stored=2),
)
"""By their value: the time may not do for all."""


def screening(bench: Bench) -> None:
    """Report the cases, each with one step to warm up and one that is timed."""
    for case in CASES:
        with determinism(case.deterministic, case.fill):
            bench.attempt(case.name, lambda case=case: _step(bench, case))


def _step(bench: Bench, case: Case) -> Row:
    settings = models.config("test" if bench.tiny else "paper")
    shape = settings.supernet
    images, classes = (2, models.TINY_CLASSES) if bench.tiny else (4, models.CLASSES)
    operations = settings.screening.candidates[: case.stored]
    execution: Any = "store" if case.stored else "recompute"
    macs, memory = models.planned_screening(settings, operations, case.paths, execution)
    model = models.supernet(
        settings, operations, classes, execution=execution, paths=case.paths, screening=True
    )
    if case.contiguous:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    model.to(bench.device)

    def forward() -> AbstractContextManager[Any]:
        return torch.autocast(bench.device.type, torch.bfloat16, enabled=case.bf16)

    step = models.joint_screening_step(settings, model, images, shape.input_size, classes, forward)
    timing = bench.timed(step, repeats=1, told=case.name)
    # a step of the weights and one of α, each of so many images
    rate = 2 * images * macs / timing.later / 1e9
    return {
        "images": images,
        "first step, s": timing.first,
        "later step, s": timing.later,
        "GMAC/s": rate,
        "GMAC/s of the plan": settings.plan.gpu_gmacs,
        "peak, GiB": timing.peak,
        "GiB of the plan": memory(images) / GIB,
    }
