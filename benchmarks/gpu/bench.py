"""What every part is given: the device, how to time a step, and where rows go."""

from __future__ import annotations

import gc
import signal
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.models import OutOfMemory
from benchmarks.gpu.report import PartResult, Report, Row

GIB = 2**30


class OutOfTimeError(BaseException):
    """A part's time limit. No `Exception`, or the code that a part runs might take it for its own."""


@dataclass(frozen=True)
class Timing:
    """Seconds of a step.

    Attributes:
        first: of the first call, which loads kernels, chooses algorithms and fills the allocator.
        later: the median of later calls.
        peak: GiB that later calls took at most; 0 on a CPU.
    """

    first: float
    later: float
    peak: float


@dataclass(frozen=True)
class Bench:
    """A part at work.

    Attributes:
        device: that is tried.
        tiny: whether sizes are those of a quick try on a CPU.
        out: folder of the report.
        report: all parts.
        result: this part.
        quiet: waits until nothing else of this check uses the machine.
    """

    device: torch.device
    tiny: bool
    out: Path
    report: Report
    result: PartResult
    quiet: Callable[[], None]

    def row(self, **values: Any) -> None:
        """Report a row."""
        self.report.row(self.result, values)

    def wrong(self, problem: str) -> None:
        """Note what is wrong; the part has failed."""
        self.result.problems.append(problem)

    def attempt(self, case: str, measure: Callable[[], Row]) -> None:
        """Report what `measure` gives. If it raises, that is noted, and further cases go on.

        A device with too little memory is not wrong: the row says so.
        """
        row: Row
        try:
            row = {"case": case, **measure()}
        except (torch.OutOfMemoryError, OutOfMemory):
            row = {"case": case, "outcome": "out of memory"}
        except Exception as error:
            traceback.print_exc()
            row = {"case": case, "outcome": one_line(error)}
            self.wrong(f"{case}: {one_line(error)}")
        self.row(**row)
        self.free()

    def free(self) -> None:
        """Give memory back that nothing holds any more."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def timed(self, step: Callable[[], Any], repeats: int = 3, told: str | None = None) -> Timing:
        """Time a step: its first call at once, later ones while the machine is quiet.

        Args:
            step: to time.
            repeats: later calls.
            told: name under which the first call's time is printed at once; it may be long.
        """
        first = self._once(step)
        if told is not None:
            self.report.say(f"{self.result.name}: {told}: first step {first:.2f} s")
        self.quiet()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        later = statistics.median(self._once(step) for _ in range(repeats))
        peak = torch.cuda.max_memory_allocated() / GIB if self.device.type == "cuda" else 0.0
        return Timing(first, later, peak)

    def milliseconds(self, step: Callable[[], Any]) -> float:
        """Of a later call."""
        return 1e3 * self.timed(step).later

    def _once(self, step: Callable[[], Any]) -> float:
        self.synchronize()
        began = time.perf_counter()
        step()
        self.synchronize()
        return time.perf_counter() - began

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def one_line(error: BaseException) -> str:
    """An error's type and the beginning of its message."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:300]}"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTimeError` in the main thread after so many seconds.

    It comes between two steps of Python code, so a long call into a library is finished first. It comes
    again every five seconds, since Python drops what is raised in a destructor.
    """

    def ring(number: int, frame: Any) -> None:
        raise OutOfTimeError

    former = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01), 5.0)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@contextmanager
def determinism(on: bool, fill: bool | None = None) -> Iterator[None]:
    """As the stages compute, or not.

    Args:
        on: ask for deterministic algorithms; on a GPU torch only warns where there is none.
        fill: fill memory that is not initialised, as torch does with deterministic algorithms; as it is
            where None.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    # torch sets it through a module of its own kind, whose attributes type checkers do not know
    options: Any = torch.utils.deterministic
    filled = options.fill_uninitialized_memory
    torch.use_deterministic_algorithms(on, warn_only=True)
    options.fill_uninitialized_memory = filled if fill is None else fill
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        options.fill_uninitialized_memory = filled


@contextmanager
def without_tf32() -> Iterator[None]:
    """Full float32: by default torch rounds the factors in convolutions to TF32, with 10 bits."""
    before = (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
