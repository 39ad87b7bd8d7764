"""Loss and gradients on the device against the CPU, with the same weights, batch and seed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu import models
from benchmarks.gpu.bench import Bench, without_tf32
from benchmarks.gpu.report import Row

LOSS = 1e-4
"""How far the losses may differ, relative to the CPU's."""
GRADIENTS = 1e-2
"""The same of all gradients together, in the Euclidean norm. A float32 sum in another order is off by some
1e-6; one box sampled otherwise by more than 1e-2."""
OPERATIONS = ("ir_k5_d3_e3", "sep_k3_d1", "conv_k3_d1")
"""In each choice layer: dilated and plain depthwise convolutions, and dense ones."""
SIZE = (64, 64)
THREADS = 4
"""Of the CPU's part: the chain runs beside it, and the networks are small."""

Found = tuple[float, dict[str, Tensor]]
"""The loss, and the gradients by their parameters' names."""


def parity(bench: Bench) -> None:
    """Report each kind of network and step; one that differs is wrong."""
    threads = torch.get_num_threads()
    torch.set_num_threads(min(threads, THREADS))
    try:
        with without_tf32():
            for case, run in _cases().items():
                bench.attempt(case, lambda case=case, run=run: _compared(bench, case, run))
    finally:
        torch.set_num_threads(threads)


def _cases() -> dict[str, Callable[[torch.device], Found]]:
    settings, classes = models.config("test"), models.TINY_CLASSES
    one_stage = models.config("test", "examples/retinanet")
    # the example's images are larger than those of the tests
    shape = one_stage.supernet.model_copy(update={"input_size": SIZE})
    one_stage = one_stage.model_copy(update={"supernet": shape})
    models.seed_everything(0)
    data = models.batch(2, SIZE, classes)

    def detected(make: Callable[[], nn.Module]) -> Callable[[torch.device], Found]:
        return _on_twins(make, lambda model: models.detection_loss(model, data)[0])

    def stored(execution: Any) -> Callable[[], nn.Module]:
        return lambda: models.supernet(settings, OPERATIONS, classes, execution=execution)

    def distilled() -> nn.Module:
        nets = [models.pool_net(settings, classes, largest=largest) for largest in (False, True)]
        return models.Distilled(settings, *nets)

    def shrunk(device: torch.device) -> Found:
        model, step = models.shrinking_step(settings, classes, device)
        loss = float(step())
        return loss, _gradients(model)

    return {
        "supernet, stored": detected(stored("store")),
        "derived detector": detected(
            lambda: models.one_operation(settings, OPERATIONS[0], classes)
        ),
        "upgraded: cascade, deformable": detected(lambda: models.upgraded(settings, classes)),
        "shrinking step": shrunk,
        "distillation step": _on_twins(distilled, lambda model: model.loss(data)),
        "RetinaNet": detected(
            lambda: models.supernet(one_stage, OPERATIONS, classes, execution="store")
        ),
        "supernet, recomputed": detected(stored("recompute")),
    }


def _on_twins(
    make: Callable[[], nn.Module], loss: Callable[[Any], Tensor]
) -> Callable[[torch.device], Found]:
    """A function that computes on a copy of one network on a device."""
    made: list[nn.Module] = []

    def run(device: torch.device) -> Found:
        if not made:
            models.seed_everything(1)
            made.append(make())
        model = copy.deepcopy(made[0]).to(device).train()
        models.seed_everything(2)
        value = loss(model)
        value.backward()
        return float(value.detach()), _gradients(model)

    return run


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: parameter.grad.detach().cpu().double()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def _compared(bench: Bench, case: str, run: Callable[[torch.device], Found]) -> Row:
    began = time.monotonic()
    expected, ours = run(torch.device("cpu"))
    middle = time.monotonic()
    found, theirs = run(bench.device)
    bench.synchronize()
    ended = time.monotonic()
    row: Row = {"loss on the CPU": expected, "loss": found}
    if ours.keys() != theirs.keys() or not ours:
        bench.wrong(f"{case}: other parameters have gradients")
        return {**row, "agrees": False}
    losses = abs(expected - found) / abs(expected)
    apart = sum(float((ours[name] - theirs[name]).square().sum()) for name in ours) ** 0.5
    gradients = apart / sum(float(each.square().sum()) for each in ours.values()) ** 0.5
    # not a number is no agreement
    agrees = losses <= LOSS and gradients <= GRADIENTS
    if not agrees:
        bench.wrong(f"{case}: losses differ by {losses:.1e}, gradients by {gradients:.1e}")
    return {
        **row,
        "relative difference of losses": losses,
        "of gradients": gradients,
        "agrees": agrees,
        "CPU, s": middle - began,
        "device, s": ended - middle,
    }
