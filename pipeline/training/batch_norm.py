"""Batch normalisation in a training of several processes: over all their images, or over each one's own.

On a GPU torch's own synchronised kernels do it: one gathering of statistics forwards, one sum backwards, and
the input alone is kept. Elsewhere `distributed.shared_batch_norm` does, which is written by hand, and which
those kernels are tested against.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, distributed, nn

from pipeline.training.computing import computing
from pipeline.training.distributed import shared_batch_norm, size


def shares_statistics() -> bool:
    """Whether batch normalisations take their statistics over several processes."""
    return size() > 1 and computing().batch_norm == "synchronised"


def batch_norm_over_all(
    input: Tensor,
    running: tuple[Tensor, Tensor] | None,
    affine: tuple[Tensor, Tensor] | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """Batch normalisation in training, with the statistics of all processes' images.

    Args:
        input: (N, C, H, W), channels last or contiguous; N, H and W may differ between processes. In bf16
            it is normalised in float32, and the result is bf16.
        running: running mean and variance (C,), which are moved; None where none are kept.
        affine: weight and bias (C,).
        momentum: how far the running statistics move.
        eps: added to the variance.
    """
    if input.device.type != "cuda":
        return shared_batch_norm(input, running, affine, momentum, eps)
    mean, variance = running or (None, None)
    weight, bias = affine or (None, None)
    result = SynchronisedBatchNorm.apply(input, weight, bias, mean, variance, momentum, eps)
    assert isinstance(result, Tensor)
    return result


class SynchronisedBatchNorm(torch.autograd.Function):
    """`shared_batch_norm` by the kernels of torch's SyncBatchNorm.

    That class itself asks in every layer which processes had images, and waits for the GPU to know.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_variance: Tensor | None,
        momentum: float,
        eps: float,
    ) -> Tensor:
        """See `batch_norm_over_all`."""
        input = _dense(input)
        channels = input.shape[1]
        mean, deviation = torch.batch_norm_stats(input, eps)
        count = _count(input.numel() // channels, input.device)
        own = torch.cat([mean, deviation, count])
        every = own.new_empty(size() * len(own))
        distributed.all_gather_into_tensor(every, own)
        means, deviations, counts = every.view(size(), -1).split([channels, channels, 1], 1)
        mean, deviation = torch.batch_norm_gather_stats_with_counts(
            input,
            means,
            deviations,
            running_mean,
            running_variance,
            momentum,
            eps,
            counts.reshape(-1),
        )
        ctx.save_for_backward(input, weight, mean, deviation, counts)
        return torch.batch_norm_elemt(input, weight, bias, mean, deviation, eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Of the input the gradient of all processes' losses, of weight and bias that of this one's."""
        input, weight, mean, deviation, counts = ctx.saved_tensors
        # kernels for channels last run where both are
        channels_last = input.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        gradient = gradients[0].contiguous(memory_format=layout)
        total, product, of_weight, of_bias = torch.batch_norm_backward_reduce(
            gradient, input, mean, deviation, weight, True, weight is not None, weight is not None
        )
        both = torch.cat([total, product])
        distributed.all_reduce(both)
        total, product = both.split(len(total))
        of_input = torch.batch_norm_backward_elemt(
            gradient, input, mean, deviation, weight, total, product, counts.flatten().int()
        )
        return of_input, of_weight, of_bias, None, None, None, None


def _dense(input: Tensor) -> Tensor:
    last = input.is_contiguous(memory_format=torch.channels_last)
    return input if last else input.contiguous()


@lru_cache(maxsize=256)
def _count(number: int, device: torch.device) -> Tensor:
    """(1,): made once for each size of a map, since it comes from this process."""
    return torch.full((1,), float(number), device=device)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation with the statistics of all processes' images."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W), normalised; the running statistics are the same in every process."""
        if not self.training or not shares_statistics():
            return super().forward(input)
        running, momentum = None, self.momentum
        if self.track_running_stats:
            assert self.running_mean is not None and self.running_var is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            running = (self.running_mean, self.running_var)
            if momentum is None:
                momentum = 1 / float(self.num_batches_tracked)
        affine = (self.weight, self.bias) if self.affine else None
        return batch_norm_over_all(input, running, affine, momentum or 0.0, self.eps)


def share_statistics(model: nn.Module) -> None:
    """Let every plain batch normalisation of a model take its statistics over all processes.

    Those of an elastic detector do by themselves. The modules stay the same objects, so optimisers and
    references to them stay valid.
    """
    if not shares_statistics():
        return
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm2d


def own_statistics(model: nn.Module) -> None:
    """Undo `share_statistics`, for a model that the first process runs while the others wait."""
    shared: list[Any] = [each for each in model.modules() if type(each) is SharedBatchNorm2d]
    for module in shared:
        module.__class__ = nn.BatchNorm2d


@torch.no_grad()
def average_running_statistics(modules: Iterable[nn.Module]) -> None:
    """Where each process takes its own statistics, let all keep the mean of the running ones.

    So all validate the same network, and it does not matter which one saves it.
    """
    if size() == 1 or shares_statistics():
        return
    running = [
        buffer
        for module in modules
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for buffer in (module.running_mean, module.running_var)
        if buffer is not None
    ]
    if not running:
        return
    flat = torch.cat(running)
    distributed.all_reduce(flat)
    flat /= size()
    for buffer, mean in zip(running, flat.split([len(each) for each in running]), strict=True):
        buffer.copy_(mean)
