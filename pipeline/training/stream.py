"""Batches as a function of (seed, iteration): a stream can be entered at any position.

No state is kept anywhere: the order of an epoch derives from the seed and the epoch's number, the
augmentation of a sample from the seed, the epoch and the sample's index. So the number of loading
processes does not change what is loaded, and resuming needs the iteration's number only.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from pipeline.environment import CPUS
from pipeline.errors import DetSearchError
from pipeline.training.distributed import rank, share, size
from pipeline.training.seeding import derive_seed, seed_everything

Position = tuple[int, int]


def loading_processes(wanted: int) -> int:
    """At most as many as there are cores besides the one that trains, where a number was granted."""
    granted = os.environ.get(CPUS)
    return wanted if granted is None else min(wanted, max(0, int(granted) - 1))


class TooFewSamplesError(DetSearchError, ValueError):
    """A dataset holds less than one batch."""


def _leave_signals_alone(worker: int) -> None:
    """In a loading process: a scheduler's signals are for the process that trains, which stops it."""
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


class _Loading:
    """What a DataLoader gives, whose processes end when it is closed, at the latest with this process.

    At its end Python would send them SIGTERM, which they ignore, and wait for them for ever.
    """

    def __init__(self, loader: DataLoader) -> None:
        self._batches: Iterator[Any] | None = iter(loader)
        _OPEN.add(self)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._batches is None:
            raise StopIteration
        return next(self._batches)

    def close(self) -> None:
        """End the loading processes: the DataLoader's iterator does, once nobody holds it."""
        self._batches = None


_OPEN: weakref.WeakSet[_Loading] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for loading in list(_OPEN):
        loading.close()


class _Seeded(Dataset):
    """A dataset indexed by (epoch, index), whose random transforms are seeded by both."""

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, position: Position) -> Any:
        epoch, index = position
        seed_everything(self.seed, "sample", epoch, index)
        return self.dataset[index]


class BatchStream:
    """An endless sequence of shuffled batches, epoch after epoch; the last partial batch is dropped.

    Args:
        dataset: anything with `len` and integer indexing.
        batch_size: samples a batch.
        seed: the stream's own seed.
        workers: loading processes, as far as the granted CPU cores allow; 0 loads in this one.
        collate: makes a batch of a list of samples.

    Raises:
        TooFewSamplesError: the dataset holds less than one batch.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        seed: int,
        *,
        workers: int = 0,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        if len(dataset) < batch_size:
            raise TooFewSamplesError(
                f"a batch of {batch_size} was asked for, but the training set holds only "
                f"{len(dataset)} samples (screening and search see half of the images at a time): "
                "lower this stage's batch_size"
            )
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.workers, self.collate = workers, collate
        self.epoch_length = len(dataset) // batch_size

    def positions(self, iteration: int) -> list[Position]:
        """(epoch, index) of each sample of a batch."""
        epoch, batch = divmod(iteration, self.epoch_length)
        order = self._order(epoch)
        start = batch * self.batch_size
        return [(epoch, int(index)) for index in order[start : start + self.batch_size]]

    def _order(self, epoch: int) -> Sequence[int]:
        generator = np.random.default_rng(derive_seed(self.seed, "order", epoch))
        return generator.permutation(len(self.dataset)).tolist()

    def starting_at(self, iteration: int, stop: int) -> Iterator[Any]:
        """The batches of iterations `iteration` … `stop - 1`; of several processes, each its share."""

        def sampler() -> Iterator[list[Position]]:
            for current in range(iteration, stop):
                yield list(share(self.positions(current)))

        return _Loading(
            DataLoader(
                _Seeded(self.dataset, self.seed),
                batch_sampler=_Once(sampler),
                num_workers=loading_processes(self.workers),
                collate_fn=self.collate,
                worker_init_fn=_leave_signals_alone,
                pin_memory=torch.cuda.is_available(),
            )
        )


def in_order(
    dataset: Any,
    batch_size: int,
    *,
    workers: int = 0,
    collate: Callable[[list[Any]], Any] | None = None,
) -> Iterator[tuple[int, Any]]:
    """The batches of a dataset in its order, each with its number; of several processes, each its share.

    The batches are the same however many processes there are. Draws no random numbers.

    Args:
        dataset: anything with `len` and integer indexing.
        batch_size: samples a batch at most.
        workers: loading processes, as far as the granted CPU cores allow.
        collate: makes a batch of a list of samples.
    """
    starts = range(0, len(dataset), batch_size)
    own = range(rank(), len(starts), size())
    batches = [
        list(range(starts[number], min(starts[number] + batch_size, len(dataset))))
        for number in own
    ]
    loading = _Loading(
        DataLoader(
            dataset,
            batch_sampler=batches,
            num_workers=min(loading_processes(workers), len(batches)),
            collate_fn=collate,
            worker_init_fn=_leave_signals_alone,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),
        )
    )
    return zip(own, loading, strict=True)


def once(
    dataset: Any, batch_size: int, seed: int, *, workers: int = 0, shared: bool = False
) -> Iterator[Any]:
    """Each sample once, in a seeded order, for a validation; batches of nearly equal sizes.

    Args:
        dataset: anything with `len` and integer indexing.
        batch_size: samples a batch at most.
        seed: of the order; of one class each, batches would have other statistics than in training.
        workers: loading processes, as far as the granted CPU cores allow.
        shared: of several processes, each gets its share of the batches.
    """
    order = np.random.default_rng(derive_seed(seed, "once")).permutation(len(dataset))
    batches = np.array_split(order, math.ceil(len(dataset) / batch_size))
    if shared:
        batches = batches[rank() :: size()]
    return _Loading(
        DataLoader(
            dataset,
            batch_sampler=[batch.tolist() for batch in batches],
            num_workers=loading_processes(workers),
            worker_init_fn=_leave_signals_alone,
            pin_memory=torch.cuda.is_available(),
        )
    )


class _Once:
    """A batch sampler around a generator function."""

    def __init__(self, generate: Callable[[], Iterator[list[Position]]]) -> None:
        self.generate = generate

    def __iter__(self) -> Iterator[list[Position]]:
        return self.generate()
