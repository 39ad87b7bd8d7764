"""The driver's side of the fork server: when there is one, and how long."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline import environment
from pipeline.driver.shell import THREADS

LONGEST_ADDRESS = 100
"""Bytes of a socket's path: Linux takes 107."""

_running: list[subprocess.Popen[bytes]] = []
"""Holds the server's standard input open, which ends with this process, however that ends."""


def start_fork_server(log: Path, jobs: int, *, local: bool) -> None:
    """Start the server from which the jobs of this run are forked, and name it in the environment.

    It imports the libraries while the first jobs run, which do so themselves. Nothing is started for a single
    job, where jobs run on other machines, or where a process with these libraries cannot be forked safely
    (on other systems than Linux).

    Args:
        log: what the libraries say while they are imported, and why the server ended early, if it did.
        jobs: stages that this run will start.
        local: whether they run on this machine.
    """
    if jobs < 2 or not local or sys.platform != "linux" or environment.FORK_SERVER in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="detsearch_"))
    address = folder / "fork_server"
    if len(os.fsencode(address)) > LONGEST_ADDRESS:
        folder.rmdir()
        return
    # its threads and its modules are those of the stages, as `prefix` of `pipeline.driver.shell` sets them
    variables = {**os.environ, **THREADS, "PYTHONSAFEPATH": "1"}
    variables["PYTHONPATH"] = str(Path(__file__).parents[2])
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as told:
        _running.append(
            subprocess.Popen(
                [sys.executable, "-m", "pipeline.fork_server.server", str(address)],
                env=variables,
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )
        )
    os.environ[environment.FORK_SERVER] = str(address)
