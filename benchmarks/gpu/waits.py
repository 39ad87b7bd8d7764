"""Where a training step makes the host wait for the GPU, as torch itself says."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import models
from benchmarks.gpu.bench import Bench, determinism
from benchmarks.gpu.report import Row

SAID = "called a synchronizing CUDA operation"
"""What torch warns of in each operation that waits."""
OURS = "pipeline/"
"""Where this project's own lines are; none of them may wait. mmdet's assigners, samplers and NMS do."""
OPERATIONS = ("ir_k3_d1_e3", "sep_k3_d1", "conv_k3_d1")
SHOWN = 4
"""Places that a row names."""

Step = Callable[[], Any]


def waits(bench: Bench) -> None:
    """Report a step of each training of detectors, in small sizes; a line of ours that waits is wrong."""
    settings, classes = models.config("test"), models.TINY_CLASSES
    device = bench.device

    def screening() -> Step:
        model = models.supernet(
            settings, OPERATIONS, classes, execution="recompute", screening=True
        ).to(device)
        size = settings.supernet.input_size
        return models.joint_screening_step(settings, model, 2, size, classes)

    trainings: dict[str, Callable[[], Step]] = {
        "joint screening": screening,
        "derived detector": lambda: models.detector_step(settings, classes, device),
        "student with its teacher": lambda: models.student_step(settings, classes, device),
        "shrinking": lambda: models.shrinking_step(settings, classes, device)[1],
    }
    if device.type == "cuda":
        bench.attempt("planted: a number is read", lambda: _planted(bench))
    with determinism(False):
        for case, make in trainings.items():
            bench.attempt(case, lambda case=case, make=make: counted(bench, case, make))


def counted(bench: Bench, case: str, make: Callable[[], Step]) -> Row:
    """Count what waits in the second step of a training; the first one makes anchors and the like.

    Args:
        bench: that is told of a line of this project that waits.
        case: name of the training.
        make: makes its step.
    """
    step = make()
    step()
    with noted_waits(bench.device) as places:
        step()
    own = {place: count for place, count in places.items() if place.startswith(OURS)}
    for place, count in own.items():
        bench.wrong(f"{case}: {place} waits for the GPU {count} times in a step")
    most = ", ".join(f"{place} ({count})" for place, count in places.most_common(SHOWN))
    return {
        "waits of this code": sum(own.values()),
        "of libraries": places.total() - sum(own.values()),
        "most": most or "none",
    }


def _planted(bench: Bench) -> Row:
    """Whether torch tells of a wait at all."""
    number = torch.ones((), device=bench.device)
    with noted_waits(bench.device) as places:
        float(number)
    if not places:
        bench.wrong("torch did not tell of a number that was read: what follows says nothing")
    return {"waits of this code": 0, "of libraries": 0, "most": ", ".join(places) or "not seen"}


@contextmanager
def noted_waits(device: torch.device) -> Iterator[Counter[str]]:
    """Count operations that wait for the GPU, by the line of Python that runs them; on a CPU none does.

    What waits in a backward pass, a layer that is computed again there too, is told of at the call of
    autograd.
    """
    places: Counter[str] = Counter()
    if device.type != "cuda":
        yield places
        return
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode("default")
    places.update(_place(each) for each in told if SAID in str(each.message))


def _place(told: warnings.WarningMessage) -> str:
    """File and line; of a library, its last two folders."""
    path = Path(told.filename)
    if path.is_relative_to(models.ROOT / OURS):
        name = str(path.relative_to(models.ROOT))
    else:
        name = "/".join(path.parts[-3:])
    return f"{name}:{told.lineno}"
