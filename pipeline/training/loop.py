"""The one training loop: every stage that trains runs its task through it.

A task says what a step is; the loop seeds each step, resumes from the work folder, checkpoints, and
stops on a signal, or before the job's time limit, with a committed checkpoint. Where several processes
train together the first one alone logs and saves, all validate, and all stop at the same step.

What is shown of a training is in `progress.py`, when it is asked to stop in `stopping.py`: neither
decides a result, so neither is part of a stage's fingerprint. The order of steps is.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.errors import DetSearchError
from pipeline.training import distributed
from pipeline.training.box_losses import BoxLosses
from pipeline.training.progress import shown_progress
from pipeline.training.seeding import seed_everything
from pipeline.training.stopping import Interrupted, stop_wish

Record = dict[str, float]
"""A line of a training's history: `epoch`, `iteration` and named numbers."""

Numbers = Mapping[str, Tensor | float]
"""Numbers to log, as scalars without gradients: a GPU's are fetched when a line of the log is due."""

log = logging.getLogger(__name__)


class DivergedError(DetSearchError):
    """The loss is not a number any more."""


class Task(Protocol):
    """What the loop trains."""

    iterations: int
    epoch_length: int

    def start(self, iteration: int) -> None:
        """Prepare to run from an iteration on (open the data streams there)."""

    def fetch(self, iteration: int) -> Any:
        """The data of a step."""
        ...

    def step(self, iteration: int, data: Any) -> Numbers:
        """Train one step; returns numbers to log, `loss` among them."""
        ...

    def end_epoch(self, epoch: int) -> Record:
        """After each epoch (from 1), in every process: numbers to log, or nothing."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs, besides the iteration: tensors, numbers, strings."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""


def run_loop(
    task: Task,
    work: WorkFolder,
    *,
    seed: int,
    title: str,
    log_interval: int,
    checkpoint_seconds: float,
    events: Path | None = None,
    saved: Callable[[], None] = lambda: None,
) -> list[Record]:
    """Train a task from its last checkpoint, or from the start, to its end.

    Args:
        task: what to train.
        work: where checkpoints are kept.
        seed: with the iteration's number, the seed of every step.
        title: the name in the log.
        log_interval: iterations between two records.
        checkpoint_seconds: least time between two checkpoints.
        events: folder for TensorBoard; by default in the work folder.
        saved: called after each checkpoint.

    Returns:
        The history: a record every `log_interval` iterations (means over the interval) and one for
        each epoch that has numbers of its own.

    Raises:
        Interrupted: SIGTERM, SIGUSR1 or SIGINT (Ctrl-C) came, or the job's time limit came near
            (`pipeline.launch`); a checkpoint was committed.
        DetSearchError: processes that train together found different checkpoints, or a checkpoint does
            not hold what the task needs.
        DivergedError: the loss became NaN or infinite.
        NoObjectsError: a loss of boxes was exactly zero for a whole epoch.
    """
    history: list[Record] = []
    begin = 0
    # per name its sum over the interval, and how many steps had it
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    # steps whose numbers are still on the device: waiting for them in every step would leave a GPU idle
    waiting: list[tuple[int, Numbers]] = []
    # an epoch's end takes long where it validates: a checkpoint may lie between its last step and it
    pending = False
    checkpoint = work.load_latest()
    if checkpoint is not None:
        begin, state = checkpoint
        try:
            task.load_state_dict(state["task"])
            history, sums, counts = state["history"], state["sums"], state["counts"]
            pending = state.get("epoch_end_pending", False)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise DetSearchError(
                f"{title}: the checkpoint of step {begin} in {work.path} is not one of this training"
                f" ({type(error).__name__}: {error}); remove that folder to begin anew"
            ) from error
        log.info("%s: resuming at iteration %d of %d", title, begin, task.iterations)

    if distributed.mean([begin])[0] != begin:
        raise DetSearchError(f"{title}: the processes do not resume from the same checkpoint")
    first = distributed.rank() == 0
    task.start(begin)
    boxes = BoxLosses(title, task.epoch_length)
    last = time.monotonic()

    def fetch_numbers() -> None:
        fetched = _agreed([numbers for _, numbers in waiting])
        for (iteration, _), numbers in zip(waiting, fetched, strict=True):
            if not math.isfinite(numbers["loss"]):
                raise DivergedError(
                    f"{title}: the loss is {numbers['loss']} at iteration {iteration}; "
                    "a lower learning rate or a clip_norm usually helps"
                )
            boxes.note(iteration, numbers)
            for name, value in numbers.items():
                sums[name] = sums.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + 1
        waiting.clear()

    def save(done: int, epoch_end_pending: bool) -> None:
        nonlocal last
        if first:
            content = {"task": task.state_dict(), "history": history, "sums": sums}
            content |= {"counts": counts, "epoch_end_pending": epoch_end_pending}
            work.save(content, done)
            saved()
        last = time.monotonic()

    def end_epoch(done: int) -> None:
        epoch = math.ceil(done / task.epoch_length)
        seed_everything(seed, "epoch", epoch)
        if numbers := _epoch_end(task, epoch):
            record = {"epoch": epoch, "iteration": done, **numbers}
            history.append(record)
            progress.note(record)

    folder = (events or work.path / "tensorboard") if first else None
    with (
        stop_wish() as wish,
        shown_progress(title, begin, task.iterations, folder) as progress,
    ):
        if pending:
            end_epoch(begin)
        for iteration in range(begin, task.iterations):
            data = task.fetch(iteration)
            seed_everything(seed, "step", iteration)
            waiting.append((iteration, task.step(iteration, data)))
            due = first and time.monotonic() - last > checkpoint_seconds
            stop, due = distributed.anywhere(wish.stop, due)
            done = iteration + 1
            epoch = math.ceil(done / task.epoch_length)
            ends_epoch = done % task.epoch_length == 0
            noted = done % log_interval == 0 or done == task.iterations
            if noted or ends_epoch or stop or due:
                fetch_numbers()
            if noted:
                record = {"epoch": epoch, "iteration": done}
                record |= {name: value / counts[name] for name, value in sums.items()}
                sums.clear()
                counts.clear()
                history.append(record)
                progress.note(record)
            unfinished = ends_epoch or done < task.iterations
            if (stop or due) and unfinished:
                save(done, epoch_end_pending=ends_epoch)
            if stop and unfinished:
                raise Interrupted(f"{title}: stopped {wish.why} at iteration {done}; run again")
            if ends_epoch:
                end_epoch(done)
            progress.advance()
    return history


def _agreed(steps: Sequence[Numbers]) -> list[Record]:
    """The numbers of some steps, averaged over all processes; fetched from the device at once."""
    values = iter(distributed.mean(_fetched([each for step in steps for each in step.values()])))
    return [{name: next(values) for name in step} for step in steps]


def _fetched(numbers: Sequence[Tensor | float]) -> list[float]:
    """Numbers as Python has them, with one wait for the device for each type of them."""
    found = [0.0 if isinstance(each, Tensor) else each for each in numbers]
    places: dict[torch.dtype, list[int]] = {}
    for place, each in enumerate(numbers):
        if isinstance(each, Tensor):
            places.setdefault(each.dtype, []).append(place)
    for of_type in places.values():
        stacked = torch.stack([torch.as_tensor(numbers[place]).reshape(()) for place in of_type])
        for place, value in zip(of_type, stacked.tolist(), strict=True):
            found[place] = float(value)
    return found


def _epoch_end(task: Task, epoch: int) -> Record:
    """All processes validate together; the first one's numbers count."""
    numbers = task.end_epoch(epoch)
    return distributed.from_first(lambda: numbers)
