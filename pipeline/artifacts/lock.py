"""One process at a time makes an artifact: a lock file with a heartbeat beside its work folder.

When a driver dies its cluster jobs live on, and the next driver submits the same work again. The second
process then waits for the first and uses what it published; the lock of a dead one it takes over.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import explained, refuse_pipe, unreadable, write_bytes
from pipeline.artifacts.manifest import current_job

LOCK = "work.lock"
BEAT_SECONDS = 5.0
# A node may pause for a while (swapping, a slow file server) without being dead; taking over costs the
# wait once, two writers would cost the artifact.
DEAD_SECONDS = 90.0
NOTICE_SECONDS = 60.0
LOST = 70
"""Exit code of a process whose lock was taken over while it slept: it must not write any more."""

log = logging.getLogger(__name__)


class Holder(BaseModel):
    """Who holds a lock.

    Attributes:
        token: names this very lock.
        host: the machine.
        pid: the process.
        process_started: when it began, by a clock that nobody sets: a pid alone may be another's by now.
        job: its SLURM job, None outside SLURM.
        pids: which numbering of processes its pid belongs to (a container has its own); None where the
            system does not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str
    host: str
    pid: PositiveInt
    process_started: float
    job: str | None
    pids: str | None = None

    @classmethod
    def this_process(cls) -> Holder:
        """A new lock of the running process."""
        job = current_job()
        return cls(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            pid=os.getpid(),
            process_started=_started(os.getpid()),
            job=job.id if job else None,
            pids=_numbering(),
        )

    def __str__(self) -> str:
        job = f"job {self.job}, " if self.job else ""
        return f"{job}process {self.pid} on {self.host}"


def holder(path: Path) -> Holder | None:
    """Who holds the lock file `path`; None if nobody does, or if its content names nobody.

    Raises:
        ArtifactError: it is no file, or the system does not give it out.
    """
    refuse_pipe(path)
    try:
        return Holder.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    except OSError as error:
        raise ArtifactError(
            f"{unreadable(path, error)}: it should be the lock of the stage that works there; if none"
            " does, remove it"
        ) from error


def is_alive(path: Path, dead_after: float = DEAD_SECONDS) -> bool:
    """Whether the holder of the lock file `path` still works.

    On this machine its process is looked up; elsewhere, and in another container, its last heartbeat
    tells. One that lies as far in the future is none: somebody set the clock, or the file's time.

    Raises:
        ArtifactError: the lock cannot be read.
    """
    held = holder(path)
    if held is not None and held.host == socket.gethostname() and held.pids == _numbering():
        try:
            same = abs(_started(held.pid) - held.process_started) < 1
            return same and psutil.Process(held.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
    with suppress(FileNotFoundError):
        return -dead_after < _age(path) < dead_after
    return False


def _started(pid: int) -> float:
    """When a process began, in seconds after the machine's start where the system tells that.

    Seconds since 1970 would move when the clock is set.

    Raises:
        psutil.NoSuchProcess: there is none of this number.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (FileNotFoundError, ProcessLookupError):
        return psutil.Process(pid).create_time()


def _numbering() -> str | None:
    """Which numbering of processes this one sees."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # only Linux has this
        return None


@contextmanager
def locked(folder: Path, dead_after: float = DEAD_SECONDS) -> Iterator[bool]:
    """Hold the lock of the artifact in `folder`; wait while another living process holds it.

    Args:
        folder: where the artifact is published; made if missing.
        dead_after: seconds without a heartbeat after which a process elsewhere is taken for dead.

    Yields:
        Whether another process was waited for: it may have published meanwhile.

    Raises:
        ArtifactError: there is a lock that cannot be read.
        PublishError: the lock file cannot be written.
    """
    path = folder / LOCK
    mine = Holder.this_process()
    waited = _acquire(path, mine, dead_after)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, mine, stop), daemon=True)
    beat.start()
    try:
        yield waited
    finally:
        stop.set()
        beat.join()
        if holder(path) == mine:
            path.unlink(missing_ok=True)


def _acquire(path: Path, mine: Holder, dead_after: float) -> bool:
    waited, noticed = False, 0.0
    while not _create(path, mine):
        held = holder(path)
        if not is_alive(path, dead_after):
            _take_away(path, held)
            continue
        if time.monotonic() - noticed > NOTICE_SECONDS or not waited:
            log.info("%s: waiting for %s, which is making the same", path.parent, held)
            noticed = time.monotonic()
        waited = True
        time.sleep(min(1.0, BEAT_SECONDS))
    return waited


def _create(path: Path, mine: Holder) -> bool:
    """Make the lock file with its content, unless there is one: a hard link does both at once."""
    whole = path.with_name(f".{path.name}.{mine.token}")
    write_bytes(whole, mine.model_dump_json().encode())
    with explained(path):
        try:
            path.hardlink_to(whole)
        except FileExistsError:
            return False
        finally:
            whole.unlink()
    return True


def _take_away(path: Path, dead: Holder | None) -> None:
    """Remove a dead process's lock; of several that try, one succeeds, and a new lock is put back."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.dead")
    with suppress(FileNotFoundError):
        path.rename(aside)
        if holder(aside) != dead:
            # somebody else took the dead one away and made this lock in between
            with suppress(FileExistsError):
                path.hardlink_to(aside)
        else:
            log.warning("%s: taking over from %s, which is dead", path.parent, dead)
        aside.unlink()


def _beat(path: Path, mine: Holder, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        try:
            if (held := holder(path)) != mine:
                taken = "the lock was taken over while this process slept"
                gone = "the folder, or the lock in it, was deleted while this process worked there"
                log.error("%s: %s; it stops", path.parent, taken if held else gone)
                os._exit(LOST)
            os.utime(path)
        except (OSError, ArtifactError) as error:
            # a file server that is away for a moment: without a next beat the lock would be taken over
            log.warning("%s: no heartbeat this time: %s", path, error)


def _age(path: Path) -> float:
    """Seconds since the last heartbeat, by the file server's clock: by this machine's for who only looks."""
    probe = path.with_name(f".{path.name}.{uuid.uuid4().hex}.now")
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:  # read-only, or the disk is full: whoever wants the lock is told when making it
        now = time.time()
    return now - path.stat().st_mtime
