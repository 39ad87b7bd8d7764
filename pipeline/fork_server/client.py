"""Have a stage run in a fork of the server: same arguments, environment, folder and streams, same end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

log = logging.getLogger("detsearch")

NUMBER = 20
"""Characters of a number that the server answers with."""
POLL_SECONDS = 0.1


def run_in_fork(
    address: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> int | None:
    """Run `python -m ARGUMENTS` in a fork of the server, and wait for its end.

    SIGTERM, SIGINT, SIGUSR1 and SIGHUP are passed on to the fork. Where this process is killed, the server
    kills the fork.

    Args:
        address: the server's socket.
        arguments: the module and what it is given.
        environment: all that the module finds in `os.environ`.

    Returns:
        The exit code, minus a signal's number where one ended it; None: there is no server.
    """
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(address)
    except OSError:
        server.close()
        return None
    with server:
        job = json.dumps([[*arguments], str(Path.cwd()), dict(environment)]).encode()
        try:
            socket.send_fds(server, [len(job).to_bytes(8, "big")], [0, 1, 2])
            server.sendall(job)
            process = int(_received(server))
        except (OSError, ValueError):
            # it ended between two jobs, and has started nothing
            return None
        _pass_on_signals(process)
        try:
            return int(_received(server))
        except (OSError, ValueError):
            log.error(
                "the process that stages are forked from (run.fork_server) was killed; this stage"
                " goes on, and what it publishes counts, but its end cannot be seen"
            )
            _wait_for(process)
            return 1


def end_as(code: int) -> None:
    """End this process as the fork ended: by the same exit code, or the same signal."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    raise SystemExit(code)


def _received(server: socket.socket) -> bytes:
    return server.recv(NUMBER, socket.MSG_WAITALL)


def _pass_on_signals(process: int) -> None:
    def pass_on(number: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(process, number)

    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as `nohup` has it
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, pass_on)


def _wait_for(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(process, 0)
            time.sleep(POLL_SECONDS)
