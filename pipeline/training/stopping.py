"""When a training is asked to stop: a signal came, or the job's time limit is near."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.environment import DEADLINE


class Interrupted(RuntimeError):
    """The training stopped on a signal, after committing a checkpoint: run it again to continue."""


@dataclass
class StopWish:
    """Whether this process is to stop.

    Attributes:
        deadline: seconds since 1970; without a limit it is infinite.
        signals: that came so far.
    """

    deadline: float
    signals: list[int] = field(default_factory=list)

    @property
    def stop(self) -> bool:
        """A signal came, or the time limit is near."""
        return bool(self.signals) or time.time() > self.deadline

    @property
    def why(self) -> str:
        """The reason, for a sentence."""
        return "by signal" if self.signals else "before the job's time limit"


@contextmanager
def stop_wish() -> Iterator[StopWish]:
    """Collect SIGTERM, SIGUSR1, SIGINT and SIGHUP while open, in place of what they do otherwise.

    SIGHUP comes when the terminal is lost; under `nohup` it goes on being ignored.
    """
    wish = StopWish(float(os.environ.get(DEADLINE, "inf")))
    numbers = [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {
        number: signal.signal(number, lambda number, frame: wish.signals.append(number))
        for number in numbers
    }
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
