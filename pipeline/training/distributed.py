"""Several processes that train one model, each on its share of the batch.

With one process every function here does nothing. With several (started by the launcher, or torchrun), a
step computes what one process would compute on the whole batch: the images are shared out, batch
normalisation takes its statistics over all of them (`batch_norm.py`), gradients are averaged
(`gradients.py`), and the samples of boxes are drawn for each image by itself. What differs is the padding of
images of several sizes, which reaches to the largest of a share, and mmdet's division by the number of
boxes, which is counted in a share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from pipeline.environment import MEETING
from pipeline.errors import DetSearchError

T = TypeVar("T")

# The others wait while the first one validates, or waits for another job's lock
PATIENCE = timedelta(days=2)

CPU = torch.device("cpu")


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def join(device: torch.device) -> None:
    """Meet the other processes of this stage, if there are any: NCCL for tensors on GPUs, gloo for others."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    meeting = os.environ.get(MEETING)
    # what processes agree on without a GPU goes another way than what GPUs compute: it waits for none
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{meeting}" if meeting else "env://",
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        timeout=PATIENCE,
    )


def leave() -> None:
    """Part from the others."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def from_first(make: Callable[[], T]) -> T:
    """What the first process makes, in every process; the others wait for it."""
    if size() == 1:
        return make()
    content: list[T | None] = [make() if rank() == 0 else None]
    distributed.broadcast_object_list(content, src=0, device=CPU)
    return content[0]  # type: ignore[return-value]


def gathered(value: T) -> list[T]:
    """What each process has, in all of them, in the order of their numbers."""
    if size() == 1:
        return [value]
    found: list[Any] = [None] * size()
    distributed.all_gather_object(found, value)
    return found


def mean(values: Sequence[float]) -> list[float]:
    """Each value, averaged over the processes."""
    if size() == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64)
    distributed.all_reduce(total)
    return (total / size()).tolist()


def anywhere(*wishes: bool) -> tuple[bool, ...]:
    """Of each wish, whether any process has it."""
    if size() == 1:
        return wishes
    there = torch.tensor(wishes, dtype=torch.uint8)
    distributed.all_reduce(there, distributed.ReduceOp.MAX)
    return tuple(map(bool, there.tolist()))


def share(batch: Sequence[T]) -> Sequence[T]:
    """This process's part of a batch.

    Raises:
        DetSearchError: the batch cannot be shared out evenly.
    """
    if len(batch) % size():
        raise DetSearchError(
            f"a batch of {len(batch)} images cannot be shared out evenly among {size()} processes: "
            "choose a batch_size that is a multiple of their number"
        )
    part = len(batch) // size()
    return batch[rank() * part : (rank() + 1) * part]


class _Sum(torch.autograd.Function):
    """The sum over the processes; each one's input has the gradients of all their losses."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


def _sum(values: Tensor) -> Tensor:
    result = _Sum.apply(values)
    assert isinstance(result, Tensor)
    return result


def shared_batch_norm(
    input: Tensor,
    running: tuple[Tensor, Tensor] | None,
    affine: tuple[Tensor, Tensor] | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """Batch normalisation in training, with the statistics of all processes' images; on the CPU, too.

    Args:
        input: (N, C, H, W); N, H and W may differ between processes. In bf16 it is normalised in float32,
            and the result is bf16.
        running: running mean and variance (C,), which are moved; None where none are kept.
        affine: weight and bias (C,).
        momentum: how far the running statistics move.
        eps: added to the variance.
    """
    given, input = input.dtype, input.to(torch.promote_types(input.dtype, torch.float32))
    count = input.new_full((1,), input.numel() / input.shape[1])
    sums = torch.cat([input.sum((0, 2, 3)), count])
    totals = _sum(sums)
    number = totals[-1].detach()
    average = totals[:-1] / number
    # of the deviations: a difference of two large sums of squares would lose digits
    deviations = (input - average[:, None, None]).square().sum((0, 2, 3))
    variance = _sum(deviations) / number
    if running is not None:
        with torch.no_grad():
            running[0].lerp_(average, momentum)
            running[1].lerp_(variance * number / (number - 1), momentum)
    scale = (variance + eps).rsqrt()
    shift = -average * scale
    if affine is not None:
        scale, shift = scale * affine[0], shift * affine[0] + affine[1]
    return (input * scale[:, None, None] + shift[:, None, None]).to(given)
