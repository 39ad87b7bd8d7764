"""The processes of one stage on one machine: started together, stopped together, one exit code.

A scheduler may send a signal to every process of a job, so that each of these and the launcher get it at
once, and any number of times. Nothing here is done in a signal's handler but to note that it came.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.environment import INTERRUPTED, MEETING

POLL_SECONDS = 0.1
FAILURE_SECONDS = 10.0
"""What the others have to end by themselves when one has failed: mostly all fail alike, and say why."""


def run_together(
    command: Sequence[str],
    processes: int,
    environment: Mapping[str, str],
    *,
    patience: float,
    grace: float = FAILURE_SECONDS,
) -> int:
    """Run `command` in several processes, which find one another by their environment.

    Each gets the variables that torch.distributed knows (RANK, LOCAL_RANK, WORLD_SIZE) and a file to meet
    at, so that no port is taken. SIGTERM, SIGINT, SIGUSR1 and SIGHUP are passed on as SIGTERM.

    Args:
        command: the program and its arguments.
        processes: how many.
        environment: of all.
        patience: seconds between a signal and the end of what has not ended by itself: the time to save.
        grace: the same after one of them has failed, before the others get SIGTERM and before SIGKILL.

    Returns:
        The exit code: `INTERRUPTED` where the first process ended with it, else that of the process that
        failed before any was told to stop (128 and the signal's number where a signal ended it), else 0.
    """
    signals: list[int] = []
    numbers = [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as `nohup` has it
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, lambda number, frame: signals.append(number))
    with tempfile.TemporaryDirectory(prefix="detsearch_") as folder:
        group = [
            subprocess.Popen(command, env={**environment, **_place(rank, processes, Path(folder))})
            for rank in range(processes)
        ]
        failed = _wait(group, signals, patience, grace)
    return _outcome([process.returncode for process in group], failed)


def _place(rank: int, processes: int, folder: Path) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        MEETING: str(folder / "meeting"),
    }


def _wait(
    group: Sequence[subprocess.Popen[bytes]], signals: Sequence[int], patience: float, grace: float
) -> int:
    """Until all have ended, by themselves or not; the exit code of the first that failed by itself, or 0."""
    failed = 0
    stop_at = kill_at = None
    while running := [process for process in group if process.poll() is None]:
        now = time.monotonic()
        if kill_at is not None:
            if now >= kill_at:
                _send(running, signal.SIGKILL)
        elif signals:
            _send(running, signal.SIGTERM)
            kill_at = now + patience
        elif stop_at is not None:
            if now >= stop_at:
                _send(running, signal.SIGTERM)
                kill_at = now + grace
        elif failed := next(filter(_is_failure, (process.returncode for process in group)), 0):
            stop_at = now + grace
        time.sleep(POLL_SECONDS)
    return failed


def _is_failure(code: int | None) -> bool:
    return code not in (None, 0, INTERRUPTED)


def _send(processes: Sequence[subprocess.Popen[bytes]], number: signal.Signals) -> None:
    for process in processes:
        process.send_signal(number)


def _outcome(codes: Sequence[int], failed: int) -> int:
    if codes[0] == INTERRUPTED:
        return INTERRUPTED
    code = failed or next(filter(_is_failure, codes), max(codes))
    return code if code >= 0 else 128 - code
