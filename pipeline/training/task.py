"""What every training is made of: the one home of its update, its forward pass and its state.

A training of its own says what its forward passes are (`passes`). What is to hold for all of them, such
as lower precision, the accumulation of gradients or compilation, belongs here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from pipeline.config.optimization import Training
from pipeline.training.distributed import share_statistics
from pipeline.training.loop import Numbers, Record
from pipeline.training.optimization import apply_gradients, build_optimizer, learning_rate
from pipeline.training.stream import BatchStream

Pass = Callable[[], tuple[Tensor, Numbers]]
"""A forward pass: the scalar to minimise, and numbers to log, `loss` among them."""

S = TypeVar("S", bound=Training)


class TrainingTask(ABC, Generic[S]):
    """A task of the training loop (`pipeline.training.loop.Task`): one model, one optimiser, one stream.

    Args:
        model: the network that is trained, on its device.
        settings: length, batch and optimiser.
        stream: the training batches; an epoch is a pass over them.
        weights: the parameters that each step updates.

    Attributes:
        saved: by name, what a checkpoint holds: modules and optimisers. A training adds its own.
        iterations: steps of the whole training.
        epoch_length: steps of an epoch.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: S,
        stream: BatchStream,
        weights: Iterable[nn.Parameter],
    ) -> None:
        self.model, self.settings, self.stream = model, settings, stream
        self.epoch_length = stream.epoch_length
        self.iterations = settings.epochs * self.epoch_length
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

    def update(
        self,
        optimizer: torch.optim.Optimizer,
        passes: Sequence[Pass],
        *,
        rate: float,
        clip_norm: float | None,
    ) -> dict[str, Tensor | float]:
        """One step of an optimiser, down the mean loss (1/n) Σᵢ lossᵢ of n forward passes.

        Args:
            optimizer: of the parameters that move.
            passes: run one after the other, each with a backward pass of its own.
            rate: learning rate.
            clip_norm: largest norm of the gradient, if it is clipped.

        Returns:
            The passes' numbers, averaged over all of them; one that a pass lacks counts as zero there. They
            are left on the device.
        """
        found: list[Numbers] = []
        optimizer.zero_grad(set_to_none=True)
        for each in passes:
            with self.forward_pass():
                loss, numbers = each()
            # one backward pass each: the activations of one forward pass at a time are kept
            (loss / len(passes)).backward()
            found.append(numbers)
        apply_gradients(optimizer, rate, clip_norm)
        if len(found) == 1:
            return dict(found[0])
        record: dict[str, Tensor | float] = {}
        for numbers in found:
            for name, value in numbers.items():
                number = value.double() if isinstance(value, Tensor) else value
                record[name] = record.get(name, 0.0) + number / len(passes)
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
        rate = learning_rate(settings, iteration, self.iterations, self.epoch_length)
        passes = self.passes(iteration, data)
        record = self.update(self.optimizer, passes, rate=rate, clip_norm=settings.clip_norm)
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
