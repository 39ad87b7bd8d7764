"""What every training is made of: the one home of its update, its forward pass and its state.

A training of its own says what its forward passes are (`passes`). What is to hold for all of them, such
as lower precision, the accumulation of gradients or compilation, belongs here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from pipeline.config.optimization import Training
from pipeline.training.batch_norm import average_running_statistics, share_statistics
from pipeline.training.computing import OutOfMemory, computing
from pipeline.training.distributed import size
from pipeline.training.gradients import AveragedGradients
from pipeline.training.loop import Numbers, Record
from pipeline.training.optimization import apply_gradients, build_optimizer, learning_rate
from pipeline.training.stream import BatchStream

Pass = Callable[[], tuple[Tensor, Numbers]]
"""A forward pass: the scalar to minimise, and numbers to log, `loss` among them."""

S = TypeVar("S", bound=Training)
T = TypeVar("T")


class TrainingTask(ABC, Generic[S]):
    """A task of the training loop (`pipeline.training.loop.Task`): one model, one optimiser, one stream.

    Args:
        model: the network that is trained, on its device.
        settings: length, batch and optimiser.
        stream: the training batches; an epoch is a pass over them.
        weights: the parameters that each step updates.
        until: the epoch after which it ends, with the learning rates of all; `None`: after the last.

    Attributes:
        saved: by name, what a checkpoint holds: modules and optimisers. A training adds its own.
        last_epoch: after which it ends.
        iterations: steps until then.
        epoch_length: steps of an epoch.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: S,
        stream: BatchStream,
        weights: Iterable[nn.Parameter],
        until: int | None = None,
    ) -> None:
        self.model, self.settings, self.stream = model, settings, stream
        self.epoch_length = stream.epoch_length
        self.last_epoch = until or settings.epochs
        self.iterations = self.last_epoch * self.epoch_length
        self.optimizer = build_optimizer(weights, settings.optimizer)
        self.saved: dict[str, nn.Module | torch.optim.Optimizer] = {
            "model": model,
            "optimizer": self.optimizer,
        }
        self._batches: Iterator[Any] = iter(())

    @abstractmethod
    def passes(self, iteration: int, batch: Any) -> Sequence[Pass]:
        """The forward passes of a step: their mean loss is what its one update minimises.

        Args:
            iteration: from 0.
            batch: of the stream.
        """

    def forward_pass(self) -> AbstractContextManager[None]:
        """The context of every forward pass of every training, a teacher's included.

        What a supernet computes again in the backward pass runs after it: `torch.utils.checkpoint`
        restores autocast there, and nothing else.
        """
        return nullcontext()

    def in_parts(
        self, batch: Any, passes: Callable[[Any], Sequence[Pass]]
    ) -> Iterator[tuple[float, Pass]]:
        """The forward passes of a batch, each with its weight, made when they are due.

        With `run.micro_batch` they are those of its parts, one after another, each part weighing as many
        images as it has.

        Args:
            batch: this process's share, as the stream gives it.
            passes: of a batch, or of a part of one.
        """
        parts = [*micro_batches(batch, computing().micro_batch)]
        images = sum(count for count, _ in parts)
        for count, part in parts:
            of_part = passes(part)
            for each in of_part:
                yield count / images / len(of_part), each

    def update(
        self,
        optimizer: torch.optim.Optimizer,
        passes: Iterable[tuple[float, Pass]],
        *,
        rate: float,
        clip_norm: float | None,
    ) -> dict[str, Tensor | float]:
        """One step of an optimiser, down the mean loss Σᵢ wᵢ · lossᵢ of some forward passes.

        Args:
            optimizer: of the parameters that move.
            passes: run one after the other, each with a backward pass of its own; with their weights wᵢ,
                whose sum is 1.
            rate: learning rate.
            clip_norm: largest norm of the gradient, if it is clipped.

        Returns:
            The passes' numbers, averaged over all of them; one that a pass lacks counts as zero there. They
            are left on the device.

        Raises:
            OutOfMemory: a GPU's memory does not hold a pass.
        """
        found: list[tuple[float, Numbers]] = []
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        means = AveragedGradients(parameters) if size() > 1 else None
        optimizer.zero_grad(set_to_none=True)
        try:
            for (weight, each), last in _with_last(passes):
                with self.forward_pass():
                    loss, numbers = each()
                # one backward pass each: the activations of one forward pass at a time are kept
                with means.sent_while_computed() if means and last else nullcontext():
                    _weighted(loss, weight).backward()
                found.append((weight, numbers))
        except torch.OutOfMemoryError as error:
            share = -(-self.settings.batch_size // size())
            raise OutOfMemory(
                f"the GPU's memory ran out with {computing().micro_batch or share} images at once: lower "
                "run.micro_batch; run.precision: bf16 and, in a supernet, supernet.execution: recompute take "
                "less, too"
            ) from error
        if means:
            means.finish()
        apply_gradients(optimizer, rate, clip_norm)
        if len(found) == 1:
            return dict(found[0][1])
        record: dict[str, Tensor | float] = {}
        for weight, numbers in found:
            for name, value in numbers.items():
                number = value.double() if isinstance(value, Tensor) else value
                record[name] = record.get(name, 0.0) + _weighted(number, weight)
        return record

    def start(self, iteration: int) -> None:
        """Put the model into training, and open the data stream."""
        share_statistics(self.model)
        self.model.train()
        self._batches = self.stream.starting_at(iteration, self.iterations)

    def fetch(self, iteration: int) -> Any:
        """The next training batch."""
        return next(self._batches)

    def step(self, iteration: int, data: Any) -> dict[str, Tensor | float]:
        """One update of the weights."""
        settings = self.settings.optimizer
        scheduled = self.settings.epochs * self.epoch_length
        rate = learning_rate(settings, iteration, scheduled, self.epoch_length)
        passes = self.in_parts(data, lambda part: self.passes(iteration, part))
        record = self.update(self.optimizer, passes, rate=rate, clip_norm=settings.clip_norm)
        average_running_statistics(self.model.modules())
        return {**record, "lr": rate}

    def end_epoch(self, epoch: int) -> Record:
        """Nothing to add, where a training does not say otherwise."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """All that `saved` names."""
        return {name: dict(part.state_dict()) for name, part in self.saved.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back `state_dict`."""
        for name, part in self.saved.items():
            part.load_state_dict(state[name])


def micro_batches(batch: Any, most: int | None) -> Iterator[tuple[int, Any]]:
    """The parts of a batch, as nearly equal as they can be, each with its number of images.

    Args:
        batch: lists or tensors of as many images each, in a mapping or a sequence, or one tensor.
        most: images of a part; the whole batch where it is `None`.
    """
    if most is None:
        yield 1, batch
        return
    columns = list(batch.values()) if isinstance(batch, Mapping) else batch
    images = len(batch if isinstance(batch, Tensor) else columns[0])
    parts = -(-images // most)
    for part in range(parts):
        some = slice(part * images // parts, (part + 1) * images // parts)
        if isinstance(batch, Mapping):
            content: Any = {name: column[some] for name, column in batch.items()}
        else:
            content = batch[some] if isinstance(batch, Tensor) else [c[some] for c in batch]
        yield some.stop - some.start, content


def _weighted(value: Any, weight: float) -> Any:
    """The product; of equal passes the quotient, which has other last bits than a product."""
    count = round(1 / weight)
    return value / count if abs(weight * count - 1) < 1e-12 else value * weight


def _with_last(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Each item, and whether it is the last."""
    waiting: list[T] = []
    for item in items:
        if waiting:
            yield waiting.pop(), False
        waiting.append(item)
    for item in waiting:
        yield item, True
