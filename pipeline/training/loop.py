"""The one training loop: every stage that trains runs its task through it.

A task says what a step is; the loop seeds each step, resumes from the work folder, checkpoints,
logs, and stops on a signal, or before the job's time limit, with a committed checkpoint. Where several
processes train together the first one alone logs, validates and saves, and all stop at the same step.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.progress import Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from pipeline.artifacts.work import WorkFolder
from pipeline.errors import DetSearchError
from pipeline.launch import DEADLINE
from pipeline.training import distributed
from pipeline.training.seeding import seed_everything

Record = dict[str, float]
"""A line of a training's history: `epoch`, `iteration` and named numbers."""

log = logging.getLogger(__name__)


class Interrupted(RuntimeError):
    """The training stopped on a signal, after committing a checkpoint: run it again to continue."""


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

    def step(self, iteration: int, data: Any) -> Record:
        """Train one step; returns numbers to log, `loss` among them."""
        ...

    def end_epoch(self, epoch: int) -> Record:
        """After each epoch (from 1): numbers to log, or nothing."""
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
        DetSearchError: processes that train together found different checkpoints.
        DivergedError: the loss became NaN or infinite.
    """
    history: list[Record] = []
    begin = 0
    # per name its sum over the interval, and how many steps had it
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    # an epoch's end takes long where it validates: a checkpoint may lie between its last step and it
    pending = False
    checkpoint = work.load_latest()
    if checkpoint is not None:
        begin, state = checkpoint
        task.load_state_dict(state["task"])
        history, sums, counts = state["history"], state["sums"], state["counts"]
        pending = state.get("epoch_end_pending", False)
        log.info("%s: resuming at iteration %d of %d", title, begin, task.iterations)

    if distributed.mean([begin])[0] != begin:
        raise DetSearchError(f"{title}: the processes do not resume from the same checkpoint")
    first = distributed.rank() == 0
    writer = SummaryWriter(events or work.path / "tensorboard", purge_step=begin) if first else None
    deadline = float(os.environ.get(DEADLINE, "inf"))
    task.start(begin)
    last = started = time.monotonic()

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
            _note(record, history, writer, title, task.iterations, started, begin)

    with _stop_signals() as stopped, _progress(title, begin, task.iterations) as advance:
        if pending:
            end_epoch(begin)
        for iteration in range(begin, task.iterations):
            data = task.fetch(iteration)
            seed_everything(seed, "step", iteration)
            numbers = task.step(iteration, data)
            wish = bool(stopped) or time.time() > deadline
            numbers, stop = _agreed(numbers, wish)
            if not math.isfinite(numbers["loss"]):
                raise DivergedError(
                    f"{title}: the loss is {numbers['loss']} at iteration {iteration}; "
                    "a lower learning rate or a clip_norm usually helps"
                )
            for name, value in numbers.items():
                sums[name] = sums.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + 1
            done = iteration + 1
            epoch = math.ceil(done / task.epoch_length)
            if done % log_interval == 0 or done == task.iterations:
                record = {"epoch": epoch, "iteration": done}
                record |= {name: value / counts[name] for name, value in sums.items()}
                sums, counts = {}, {}
                _note(record, history, writer, title, task.iterations, started, begin)
            due = time.monotonic() - last > checkpoint_seconds
            ends_epoch = done % task.epoch_length == 0
            unfinished = ends_epoch or done < task.iterations
            if (stop or due) and unfinished:
                save(done, epoch_end_pending=ends_epoch)
            if stop and unfinished:
                why = "by signal" if stopped else "before the job's time limit"
                raise Interrupted(f"{title}: stopped {why} at iteration {done}; run again")
            if ends_epoch:
                end_epoch(done)
            advance()
    if writer is not None:
        writer.close()
    return history


def _agreed(numbers: Record, stop: bool) -> tuple[Record, bool]:
    """The numbers averaged over all processes, and whether any of them is to stop."""
    means = distributed.mean([*numbers.values(), float(stop)])
    return dict(zip(numbers, means[:-1], strict=True)), means[-1] > 0


def _epoch_end(task: Task, epoch: int) -> Record:
    """One process validates; the others wait for its numbers."""
    return distributed.from_first(lambda: task.end_epoch(epoch))


def _note(
    record: Record,
    history: list[Record],
    writer: SummaryWriter | None,
    title: str,
    iterations: int,
    started: float,
    begin: int,
) -> None:
    history.append(record)
    iteration = int(record["iteration"])
    if writer is not None:
        for name, value in record.items():
            writer.add_scalar(name, value, iteration)
    shown = " ".join(
        f"{name} {value:.4g}"
        for name, value in record.items()
        if name not in ("epoch", "iteration") and not name.startswith("probability/")
    )
    if not shown:
        return
    pace = (time.monotonic() - started) / max(1, iteration - begin)
    log.info(
        "%s: epoch %d, %d/%d, %.3f s/it, %.0f s left: %s",
        title,
        record["epoch"],
        iteration,
        iterations,
        pace,
        pace * (iterations - iteration),
        shown,
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM, SIGUSR1 and SIGINT while open; the list is empty (false) until one comes."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: received.append(number))
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(title: str, begin: int, total: int) -> Iterator[Any]:
    """A progress bar on a terminal; nothing in a log, where the lines of `_note` say the same."""
    columns = (*Progress.get_default_columns()[:3], TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), transient=True) as progress:
        progress.disable = not progress.console.is_terminal or distributed.rank() > 0
        bar = progress.add_task(title, total=total, completed=begin)
        yield lambda: progress.advance(bar)
