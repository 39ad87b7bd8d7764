"""Which drivers are alive: the locks of a dead one are removed, as the user would with `--unlock`.

Snakemake notes in `.snakemake/locks` which files a driver works on, and does not see that the driver was
killed. Every living driver also holds a shared lock of the system, which ends with its process, on this
machine or, over a file server, on another.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path

from pipeline.artifacts.files import explained

FILE = "drivers.lock"
LOCKS = "locks"
PATIENCE_SECONDS = 1.0
"""So long may another driver, that is just starting or ending, be in the way."""


def enter(records: Path) -> str | None:
    """`appear`, with what the user should know of it, if anything.

    Raises:
        PublishError: the folder cannot be written to.
    """
    try:
        removed = appear(records)
    except OSError as error:
        return (
            f"Whether another driver works here cannot be seen ({error.strerror}): after one has died,"
            " `snakemake --unlock` is needed."
        )
    return "A driver that died had locked this folder: unlocked." if removed else None


def appear(records: Path) -> int:
    """Hold the lock of a living driver until this process ends; remove what dead ones have locked.

    Args:
        records: Snakemake's folder `.snakemake`.

    Returns:
        How many of Snakemake's locks were removed.

    Raises:
        PublishError: the folder cannot be written to.
        OSError: the file system has no locks between processes: nothing was removed.
    """
    with explained(records / FILE):
        records.mkdir(parents=True, exist_ok=True)
        # never closed, and no process that is started inherits it
        file = os.open(records / FILE, os.O_RDWR | os.O_CREAT, 0o666)
    locks = records / LOCKS
    deadline = time.monotonic() + PATIENCE_SECONDS
    removed = 0
    while locks.is_dir() and any(locks.iterdir()):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                break  # another driver lives: which of the locks are its, nobody knows
            time.sleep(0.05)
            continue
        removed = len(list(locks.iterdir()))
        with explained(locks):
            shutil.rmtree(locks)
    fcntl.flock(file, fcntl.LOCK_SH)
    return removed
