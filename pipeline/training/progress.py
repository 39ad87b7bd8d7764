"""What is shown of a training: lines in the log, curves in TensorBoard, a bar on a terminal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress, TaskID, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)


@dataclass
class ShownProgress:
    """Shows how far a training is.

    Attributes:
        title: of the training.
        begin: iteration at which this process began.
        iterations: of the whole training.
        writer: for TensorBoard; None in a process that does not write.
        bar: the progress bar, with its task.
        started: by the monotonic clock.
    """

    title: str
    begin: int
    iterations: int
    writer: SummaryWriter | None
    bar: tuple[Progress, TaskID]
    started: float = field(default_factory=time.monotonic)

    def note(self, record: Mapping[str, float]) -> None:
        """Show a record of the training's history, as the loop's `Record` is."""
        iteration = int(record["iteration"])
        self._write(record, iteration)
        shown = " ".join(
            f"{name} {value:.4g}"
            for name, value in record.items()
            if name not in ("epoch", "iteration") and not name.startswith("probability/")
        )
        if not shown:
            return
        pace = (time.monotonic() - self.started) / max(1, iteration - self.begin)
        log.info(
            "%s: epoch %d, %d/%d, %.3f s/it, %.0f s left: %s",
            self.title,
            record["epoch"],
            iteration,
            self.iterations,
            pace,
            pace * (self.iterations - iteration),
            shown,
        )

    def _write(self, record: Mapping[str, float], iteration: int) -> None:
        """Add to TensorBoard's curves; where the disk refuses, say so once and go on without them."""
        if self.writer is None:
            return
        try:
            for name, value in record.items():
                self.writer.add_scalar(name, value, iteration)
            self.writer.flush()
        except OSError as error:
            _no_curves(self.title, error)
            self.writer = None

    def advance(self) -> None:
        """A step is done."""
        progress, task = self.bar
        progress.advance(task)


@contextmanager
def shown_progress(
    title: str, begin: int, iterations: int, events: Path | None
) -> Iterator[ShownProgress]:
    """Show a training while open.

    The bar is seen on a terminal only: in a log the lines of `note` say the same.

    Args:
        title: of the training.
        begin: iteration at which it begins here.
        iterations: of the whole training.
        events: folder for TensorBoard; None in a process that is not the first, which shows nothing
            there and no bar.
    """
    columns = (*Progress.get_default_columns()[:3], TextColumn("{task.completed}/{task.total}"))
    writer = None
    with _without_writers_threads():
        if events is not None:
            try:
                writer = SummaryWriter(events, purge_step=begin)
            except OSError as error:
                _no_curves(title, error)
                for thread in filter(_is_writers, threading.enumerate()):
                    thread.join(1.0)  # it is ending for the same reason
        with Progress(*columns, TimeRemainingColumn(), transient=True) as progress:
            progress.disable = not progress.console.is_terminal or events is None
            bar = progress.add_task(title, total=iterations, completed=begin)
            shown = ShownProgress(title, begin, iterations, writer, (progress, bar))
            yield shown
        if shown.writer is not None:
            try:
                shown.writer.close()
            except OSError as error:
                _no_curves(title, error)


@contextmanager
def _without_writers_threads() -> Iterator[None]:
    """Leave out what `_no_curves` says: the end of TensorBoard's thread on a full disk."""
    before, threading.excepthook = threading.excepthook, _reduced(threading.excepthook)
    try:
        yield
    finally:
        threading.excepthook = before


def _reduced(
    hook: Callable[[threading.ExceptHookArgs], object],
) -> Callable[[threading.ExceptHookArgs], object]:
    def reduced(arguments: threading.ExceptHookArgs) -> None:
        if not (_is_writers(arguments.thread) and isinstance(arguments.exc_value, OSError)):
            hook(arguments)

    return reduced


def _is_writers(thread: threading.Thread | None) -> bool:
    return type(thread).__module__.startswith("tensorboard.")


def _no_curves(title: str, error: OSError) -> None:
    log.warning(
        "%s: no further curves for TensorBoard (%s); history.json will hold them all",
        title,
        error.strerror or error,
    )
