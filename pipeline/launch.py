"""Start a stage on the devices it was given: one process, or one for each GPU.

    python -m pipeline.launch GPUS PROCESSES MINUTES pipeline.stages.search --data …

GPUS is what the rule's resources ask for; 0 hides every GPU, and PROCESSES are started on the CPU. A
stage that asks for GPUs and sees other ones is not started. On a workstation, where every process sees
all GPUs, a job claims free ones, so that no two jobs share one. MINUTES is the job's time limit, which
counts on a cluster only: the stage stops with a checkpoint before it.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.environment import DEADLINE, DEVICE, FORK_SERVER, SCHEDULED
from pipeline.errors import DetSearchError
from pipeline.fork_server.client import end_as, run_in_fork
from pipeline.processes import run_together

MARGIN_SECONDS = 180.0
"""Kept free before a job's time limit: the job's start, its last step, the checkpoint."""
LOCKS = Path(tempfile.gettempdir()) / "detsearch_gpus"

log = logging.getLogger("detsearch")


class DeviceError(DetSearchError):
    """The devices that are visible are not those that were asked for."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; exits as the stage does."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.launch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("gpus", type=int, help="GPUs of the job")
    parser.add_argument("processes", type=int, help="processes of a job without GPUs")
    parser.add_argument("minutes", type=float, help="time limit of the job")
    parser.add_argument("module", help="the stage")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the stage")
    given = parser.parse_args(argv)
    if given.gpus < 0 or given.processes < 1:
        parser.error("a job has 0 GPUs or more, and 1 process or more")
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    environment = dict(os.environ)
    scheduled = environment.get(SCHEDULED) == "1"
    try:
        devices = devices_for(
            given.gpus,
            visible_devices(environment),
            environment.get(DEVICE, "auto"),
            scheduled=scheduled,
        )
    except DeviceError as error:
        log.error("%s: %s", given.module, error)
        sys.exit(1)
    if devices is not None:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    if given.gpus == 0:
        environment[DEVICE] = "cpu"
    if scheduled:
        environment[DEADLINE] = f"{time.time() + soft_limit(60 * given.minutes):.0f}"
    processes = given.gpus or given.processes
    command = [sys.executable, "-m", given.module, *given.arguments]
    if processes == 1:
        address = environment.get(FORK_SERVER)
        if address and not scheduled:
            code = run_in_fork(address, [given.module, *given.arguments], environment)
            if code is not None:
                end_as(code)
        os.execve(sys.executable, command, environment)
    # 30 seconds of the margin are kept for what follows a stage's end
    sys.exit(run_together(command, processes, environment, patience=MARGIN_SECONDS - 30))


def soft_limit(seconds: float) -> float:
    """Seconds after which a stage stops by itself, of a job that is killed after `seconds`."""
    return seconds - min(MARGIN_SECONDS, seconds / 2)


def visible_devices(environment: Mapping[str, str], devices: Path = Path("/dev")) -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them.

    Where the variable is not set they are counted by their device files. CUDA numbers what it sees from 0,
    whatever the files are called: a container that was lent the machine's fourth GPU has `nvidia3` alone,
    and it is device 0 there.
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    # beside nvidia0, nvidia1, … lie nvidiactl, nvidia-uvm and others, which are no GPUs
    files = [path for path in devices.glob("nvidia*") if re.fullmatch("nvidia[0-9]+", path.name)]
    return [str(number) for number in range(len(files))]


def devices_for(
    gpus: int, visible: Sequence[str], device: str, *, scheduled: bool, locks: Path = LOCKS
) -> list[str] | None:
    """The devices a job runs on; None leaves the choice as it is, where there are no GPUs at all.

    Args:
        gpus: how many it asked for.
        visible: those it sees.
        device: `run.device`; with `auto` a job for one GPU runs on the CPU where there is none.
        scheduled: whether a scheduler granted `visible` to this job alone.
        locks: folder of the claims.

    Raises:
        DeviceError: others are visible than were asked for.
    """
    if gpus == 0:
        return []
    if not visible and not scheduled and gpus == 1 and device == "auto":
        return None
    if len(visible) < gpus or (scheduled and len(visible) != gpus):
        raise DeviceError(
            f"{gpus} GPUs were asked for, but {len(visible)} are visible"
            f" (CUDA_VISIBLE_DEVICES: {','.join(visible) or 'none'}). Ask for as many as the job gets:"
            " run.gpus in the config, or `gpu` under set-resources in the profile; with run.device: cpu"
            " none is needed"
        )
    return list(visible) if scheduled else _claim(gpus, visible, locks)


def _claim(gpus: int, visible: Sequence[str], locks: Path) -> list[str]:
    """Lock as many devices as are needed; waits for other jobs. The locks end with this process.

    They are taken all at once or not at all, so that two jobs never wait for each other.
    """
    try:
        if not locks.exists():
            locks.mkdir(parents=True, exist_ok=True)
            locks.chmod(0o1777)  # for every user of the machine
    except OSError as error:
        raise DeviceError(f"GPUs cannot be claimed: {error}") from error
    noticed = False
    while True:
        taken: dict[str, int] = {}
        for name in visible:
            file = _lock_file(locks / name.replace("/", "_"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            taken[name] = file
            if len(taken) == gpus:
                # kept open by the stage, which takes this process's place or is its child
                for number in taken.values():
                    os.set_inheritable(number, True)
                return list(taken)
        for file in taken.values():
            os.close(file)
        if not noticed:
            log.info("waiting for %d free GPUs of %d", gpus, len(visible))
            noticed = True
        time.sleep(1.0)


def _lock_file(path: Path) -> int:
    """A file to lock, which may be another user's: reading is enough to lock it."""
    try:
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DeviceError(f"a GPU cannot be claimed: {error}") from error


if __name__ == "__main__":
    main()
