"""Optimisers and learning rates from the config; a rate is a function of the iteration alone."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from pipeline.config.optimization import Optimizer


def build_optimizer(
    parameters: Iterable[nn.Parameter], settings: Optimizer
) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW; fused where that is the same arithmetic as before, or a GPU's."""
    parameters = list(parameters)
    on_gpu = all(parameter.is_cuda for parameter in parameters)
    if settings.type == "adamw":
        return torch.optim.AdamW(
            parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True
        )
    return torch.optim.SGD(
        parameters,
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        fused=True if on_gpu else None,
    )


def learning_rate(settings: Optimizer, iteration: int, iterations: int, epoch_length: int) -> float:
    """Learning rate at an iteration: linear warm-up, then cosine to zero, or steps of a tenth.

    Args:
        settings: the optimiser's section.
        iteration: from 0.
        iterations: length of the whole training.
        epoch_length: iterations an epoch, the unit of the milestones.
    """
    if settings.schedule == "cosine":
        factor = 0.5 * (1 + math.cos(math.pi * iteration / iterations))
    else:
        passed = sum(iteration >= epoch * epoch_length for epoch in settings.milestones)
        factor = 0.1**passed
    if iteration < settings.warmup_iterations:
        factor *= max(1e-3, iteration / settings.warmup_iterations)
    return settings.lr * factor


def apply_gradients(optimizer: torch.optim.Optimizer, rate: float, clip_norm: float | None) -> None:
    """Clip the gradients, and step.

    Args:
        optimizer: whose parameters have their gradients, the means over all processes.
        rate: learning rate.
        clip_norm: largest norm of the gradient over all parameters, if it is clipped.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
    _begin_momentum(optimizer)
    optimizer.step()


def _begin_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Give parameters that have their first gradient in a later step than others a momentum of zero.

    Torch's fused SGD begins that of all at once or fails. With zero the first step is the same.
    """
    for group in optimizer.param_groups:
        if not (group.get("momentum") and group.get("fused")):
            continue
        # asking for the state of a parameter makes one, which a checkpoint would hold
        for parameter in (each for each in group["params"] if each.grad is not None):
            state = optimizer.state[parameter]
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = torch.zeros_like(parameter)
