"""Gradients averaged over processes in buckets, while the backward pass still computes the others.

torch's DistributedDataParallel does the same, for networks whose parameters all have a gradient in every
step, and whose forward pass is its own. Here paths are drawn, halves of the parameters alternate, and a step
may have several passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn

from pipeline.training.distributed import anywhere, size

BUCKET = 6_000_000
"""Numbers of a bucket, 24 MB: large enough to be sent at full speed, small enough to begin early."""


class _Bucket:
    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.missing = {id(parameter) for parameter in parameters}
        self.flat: Tensor | None = None
        self.work: Any = None

    def parts(self, flat: Tensor) -> Iterator[tuple[nn.Parameter, Tensor]]:
        sizes = [parameter.numel() for parameter in self.parameters]
        for parameter, part in zip(self.parameters, flat.split(sizes), strict=True):
            yield parameter, part.view_as(parameter)

    def send(self) -> None:
        """Begin to sum up what there is; a parameter without a gradient counts as zero."""
        flat = torch.cat(
            [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in self.parameters]
        )
        self.flat, self.work = flat, distributed.all_reduce(flat, async_op=True)


class AveragedGradients:
    """The mean of each gradient over the processes, sent bucket by bucket.

    All processes send the buckets in one order, that in which gradients mostly come: the last layer's
    first. A bucket whose parameters have no gradient in this step, such as those of paths that were not
    drawn, is sent at the end, with all behind it.

    Args:
        parameters: of an optimiser.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = [p for p in parameters if p.requires_grad]
        self.buckets: list[_Bucket] = []
        self._of: dict[int, _Bucket] = {}
        self._sent = 0
        held: list[nn.Parameter] = []
        numbers = 0
        for parameter in reversed(self.parameters):
            # the types and devices of a bucket are one
            if held and (numbers + parameter.numel() > BUCKET or parameter.dtype != held[0].dtype):
                self._close(held)
                held, numbers = [], 0
            held.append(parameter)
            numbers += parameter.numel()
        if held:
            self._close(held)

    def _close(self, parameters: Sequence[nn.Parameter]) -> None:
        bucket = _Bucket(parameters)
        self.buckets.append(bucket)
        self._of |= {id(parameter): bucket for parameter in parameters}

    @contextmanager
    def sent_while_computed(self) -> Iterator[None]:
        """Send each bucket during the backward pass inside, which is to be the step's last."""
        hooks = [p.register_post_accumulate_grad_hook(self._arrived) for p in self.parameters]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _arrived(self, parameter: Tensor) -> None:
        self._of[id(parameter)].missing.discard(id(parameter))
        while self._sent < len(self.buckets) and not self.buckets[self._sent].missing:
            self.buckets[self._sent].send()
            self._sent += 1

    @torch.no_grad()
    def finish(self) -> None:
        """Send the rest, wait, and put the means in place; a gradient that no process has stays none."""
        for bucket in self.buckets[self._sent :]:
            bucket.send()
        there = anywhere(*(p.grad is not None for p in self.parameters))
        somewhere = {id(p) for p, found in zip(self.parameters, there, strict=True) if found}
        for bucket in self.buckets:
            assert bucket.flat is not None
            bucket.work.wait()
            bucket.flat /= size()
            for parameter, mean in bucket.parts(bucket.flat):
                if parameter.grad is not None:
                    parameter.grad.copy_(mean)
                elif id(parameter) in somewhere:
                    parameter.grad = torch.empty_like(parameter).copy_(mean)
