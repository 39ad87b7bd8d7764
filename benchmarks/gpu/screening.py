"""A step of the joint screening at the paper's scale, against what `plan` says."""

from __future__ import annotations

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
        precision: as `run.precision` says it.
        paths: candidates that a step runs in each layer; all where None.
        stored: how many candidates there are, with stored activations; all, recomputed, where None.
    """

    name: str
    fill: bool = False
    deterministic: bool = False
    contiguous: bool = False
    precision: models.Precision = "float32"
    paths: int | None = None
    stored: int | None = None


CASES = (
    Case("as the stages compute, float32"),
    Case("bf16", precision="bf16"),
    Case("contiguous", contiguous=True),
    Case("4 paths", paths=4),
    Case("deterministic", deterministic=True),
    Case("deterministic, with fill", deterministic=True, fill=True),
    Case("2 of the candidates, stored", stored=2),
)
"""By their value: the time may not do for all."""


def screening(bench: Bench) -> None:
    """Report the cases, each with one step to warm up and one that is timed."""
    for case in CASES:
        with determinism(case.deterministic, case.fill), models.in_precision(case.precision):
            bench.attempt(case.name, lambda case=case: _step(bench, case))


def _step(bench: Bench, case: Case) -> Row:
    settings = models.config("test" if bench.tiny else "paper")
    shape = settings.supernet
    images, classes = (2, models.TINY_CLASSES) if bench.tiny else (4, models.CLASSES)
    operations = settings.screening.candidates[: case.stored]
    execution: Any = "store" if case.stored else "recompute"
    work, memory = models.planned_screening(settings, operations, case.paths, execution)
    model = models.supernet(
        settings, operations, classes, execution=execution, paths=case.paths, screening=True
    )
    if case.contiguous:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    model.to(bench.device)
    step = models.joint_screening_step(settings, model, images, shape.input_size, classes)
    timing = bench.timed(step, repeats=1, told=case.name)
    # a step of the weights and one of α, each of so many images
    work = work * images
    return {
        "images": images,
        "first step, s": timing.first,
        "later step, s": timing.later,
        "s of the plan": models.planned_seconds(settings, work, images, case.precision),
        "GMAC of the plan": work.macs / 1e9,
        "of them depthwise": work.depthwise / 1e9,
        "GMAC/s": work.macs / timing.later / 1e9,
        "peak, GiB": timing.peak,
        "GiB of the plan": memory(images, case.precision) / GIB,
    }
