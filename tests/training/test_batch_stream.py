"""Batches as a function of the iteration: epochs are permutations, and a stream can be entered anywhere."""

import multiprocessing
import os
import random
import signal
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.training.seeding import derive_seed, seed_everything
from pipeline.training.stream import CPUS, BatchStream, once


class _Augmented:
    """Each sample is its index and a draw of every source of random numbers."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        draws = [random.random(), np.random.random(), torch.rand(()).item()]
        return torch.tensor([index, *draws], dtype=torch.float64)


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 40), batch=st.integers(1, 8), seed=st.integers(0, 2**40))
def test_every_epoch_is_a_permutation_of_its_own(length: int, batch: int, seed: int) -> None:
    if length < batch:
        length += batch
    stream = BatchStream(range(length), batch, seed)
    assert stream.epoch_length == length // batch
    orders = []
    for epoch in range(3):
        begin = epoch * stream.epoch_length
        positions = [stream.positions(begin + i) for i in range(stream.epoch_length)]
        assert all(len(one) == batch for one in positions)
        flat = [position for one in positions for position in one]
        assert {number for number, _ in flat} == {epoch}
        order = [index for _, index in flat]
        # nothing twice, and only the rest of a partial batch is left out
        assert len(set(order)) == len(order) == length - length % batch
        assert set(order) <= set(range(length))
        orders.append(order)
    if length >= 20:
        assert orders[0] != orders[1] != orders[2]
        other = BatchStream(range(length), batch, seed + 1)
        assert [other.positions(i) for i in range(length // batch)] != [
            stream.positions(i) for i in range(length // batch)
        ]


def _read(stream: BatchStream, begin: int, stop: int) -> list[torch.Tensor]:
    return list(stream.starting_at(begin, stop))


@pytest.mark.parametrize("begin", [0, 1, 5, 6, 11])
def test_entering_late_gives_the_batches_of_running_through(begin: int) -> None:
    whole = _read(BatchStream(_Augmented(13), 2, seed=7), 0, 12)
    assert len(whole) == 12
    torch.manual_seed(begin)
    entered = _read(BatchStream(_Augmented(13), 2, seed=7), begin, 12)
    assert len(entered) == 12 - begin
    assert all(torch.equal(a, b) for a, b in zip(entered, whole[begin:], strict=True))


def test_a_sample_is_augmented_anew_in_each_epoch() -> None:
    batches = _read(BatchStream(_Augmented(4), 2, seed=7), 0, 4)
    rows = sorted(row.tolist() for batch in batches for row in batch)
    for index in range(4):
        first, second = rows[2 * index : 2 * index + 2]
        assert first[0] == second[0] == index
        assert all(a != b for a, b in zip(first[1:], second[1:], strict=True))


def test_the_number_of_workers_changes_no_sample() -> None:
    alone = _read(BatchStream(_Augmented(13), 2, seed=7), 3, 12)
    shared = _read(BatchStream(_Augmented(13), 2, seed=7, workers=2), 3, 12)
    assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_samples_are_collated_by_the_given_function() -> None:
    def collate(samples: list[Any]) -> Any:
        return {"sum": sum(samples)}

    stream = BatchStream(range(10), 5, 0, collate=collate)
    assert sum(batch["sum"] for batch in stream.starting_at(0, 2)) == 45


def test_a_validation_reads_each_sample_once_whatever_signals_its_loading_processes_get() -> None:
    """A scheduler signals every process of a job; the one that trains decides what follows."""
    batches = once(_Augmented(30), 4, seed=3, workers=2)
    read = [next(batches)]
    for process in multiprocessing.active_children():
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        os.kill(process.pid, signal.SIGUSR1)
    read += list(batches)
    indices = torch.cat(read)[:, 0].tolist()
    assert sorted(indices) == list(range(30)) and indices != sorted(indices)
    # eight batches; one of two samples at the end would have other statistics
    assert sorted(len(batch) for batch in read) == [3, 3, 4, 4, 4, 4, 4, 4]


def test_a_validation_loads_by_no_more_processes_than_were_granted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CPUS, "2")
    before = set(multiprocessing.active_children())
    batches = once(_Augmented(30), 4, seed=3, workers=8)
    assert len(set(multiprocessing.active_children()) - before) == 1
    assert sum(len(batch) for batch in batches) == 30


def test_less_than_a_batch_is_refused() -> None:
    with pytest.raises(
        ValueError, match="batch of 8 was asked for, but the training set holds only 7"
    ):
        BatchStream(range(7), 8, 0)
    assert BatchStream(range(8), 8, 0).epoch_length == 1


def test_a_seed_depends_on_every_part_and_their_order() -> None:
    seeds = [derive_seed(*parts) for parts in ((1, "a"), ("a", 1), (1, "b"), (2, "a"), (1, "a", 0))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    drawn = []
    for _ in range(2):
        seed_everything(5, "step", 3)
        drawn.append((random.random(), float(np.random.random()), float(torch.rand(()))))
    assert drawn[0] == drawn[1]
