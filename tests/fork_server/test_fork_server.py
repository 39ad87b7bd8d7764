"""The fork server: a stage that is forked gets what a process of its own would get, and ends as it would."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SERVER = """\
import sys
from pathlib import Path
from pipeline.fork_server import server
server.IMPORTED = ()
server.main()
"""
CLIENT = """\
import os, sys
from pipeline.fork_server.client import end_as, run_in_fork
end_as(run_in_fork(sys.argv[1], sys.argv[2:], os.environ))
"""
SAYS = """\
import json, os, sys
print(json.dumps([sys.argv[1:], os.getcwd(), os.environ["GIVEN"], sys.stdin.read()]))
print("and an error", file=sys.stderr)
sys.exit(7)
"""
WAITS = """\
import os, signal, sys, time
from pathlib import Path
def stop(number, frame):
    Path("stopped").write_text(str(number))
    sys.exit(75)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
    signal.signal(number, stop)
Path("begun.part").write_text(str(os.getpid()))
Path("begun.part").rename("begun")
while not Path("released").exists():
    time.sleep(0.02)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(CHECKOUT), "GIVEN": "a value"}


def until(what: Callable[[], bool]) -> None:
    for _ in range(1500):
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come about within 30 seconds")


def alive(process: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


class Forks:
    """A server, and a folder whose modules `says` and `waits` are run in forks of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "says.py").write_text(SAYS)
        (folder / "waits.py").write_text(WAITS)
        (folder / "socket").mkdir()
        self.address = folder / "socket" / "fork_server"
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER, self.address], env=ENVIRONMENT, stdin=subprocess.PIPE
        )
        until(self.address.exists)

    def start(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", CLIENT, self.address, module, *arguments],
            env=ENVIRONMENT,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_waiting(self) -> tuple[subprocess.Popen[str], int]:
        """A client whose fork waits, and the fork's process."""
        client = self.start("waits")
        until((self.folder / "begun").exists)
        return client, int((self.folder / "begun").read_text())


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    forks = Forks(tmp_path)
    yield forks
    forks.server.kill()
    forks.server.wait()
    (tmp_path / "released").touch()


def test_a_fork_has_the_clients_arguments_folder_environment_and_streams(forks: Forks) -> None:
    client = forks.start("says", "one", "two words")
    out, error = client.communicate("what is read")
    told = [["one", "two words"], str(forks.folder), "a value", "what is read"]
    assert json.loads(out) == told and error == "and an error\n"
    assert client.returncode == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_to_the_client_is_the_forks(forks: Forks, number: signal.Signals) -> None:
    client, _ = forks.start_waiting()
    client.send_signal(number)
    assert client.wait(30) == 75
    assert (forks.folder / "stopped").read_text() == str(int(number))


def test_whoever_kills_the_client_kills_the_fork(forks: Forks) -> None:
    client, process = forks.start_waiting()
    client.kill()
    until(lambda: not alive(process))
    # and others are forked as before
    assert forks.start("says").communicate("")[0]


def test_a_client_ends_by_the_signal_that_ended_the_fork(forks: Forks) -> None:
    client, process = forks.start_waiting()
    os.kill(process, signal.SIGKILL)
    assert client.wait(30) == -signal.SIGKILL


def test_the_server_outlives_its_driver_until_the_last_fork_has_ended(forks: Forks) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # to all of a terminal's, say
        forks.server.send_signal(number)
    client, process = forks.start_waiting()
    assert forks.server.stdin is not None
    forks.server.stdin.close()
    time.sleep(0.2)
    assert alive(process) and forks.server.poll() is None
    (forks.folder / "released").touch()
    assert client.wait(30) == 0
    assert forks.server.wait(30) == 0
    assert not forks.address.parent.exists()


def test_a_fork_outlives_a_server_that_is_killed_and_its_client_waits(forks: Forks) -> None:
    client, process = forks.start_waiting()
    forks.server.kill()
    time.sleep(0.2)
    assert alive(process) and client.poll() is None
    (forks.folder / "released").touch()
    assert client.wait(30) == 1
    assert not alive(process) and "goes on" in client.communicate()[1]


def test_a_client_that_dies_while_it_asks_and_a_folder_that_is_gone_end_no_server(
    forks: Forks, tmp_path: Path
) -> None:
    for sent in (b"", b"\0\0", (10**6).to_bytes(8, "big") + b"half"):
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(forks.address))
            asking.sendall(sent)
    gone = tmp_path / "gone"
    gone.mkdir()
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(forks.address))
        job = json.dumps([["says"], str(gone), dict(ENVIRONMENT)]).encode()
        gone.rmdir()
        socket.send_fds(asking, [len(job).to_bytes(8, "big")], [0, 1, 2])
        asking.sendall(job)
        asking.recv(20, socket.MSG_WAITALL)
        assert int(asking.recv(20, socket.MSG_WAITALL)) == 1
    assert forks.address.exists()
    assert forks.start("says").communicate("")[0]


def test_a_client_runs_the_stage_itself_where_no_process_can_be_forked(tmp_path: Path) -> None:
    (tmp_path / "socket").mkdir()
    address = tmp_path / "socket/fork_server"
    code = "def fail(): raise OSError(11, 'no more processes')\n" + SERVER.replace(
        "server.main()",
        "server.require_usable_gpus = lambda: None\nserver.os.fork = fail\nserver.main()",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, address],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until(address.exists)
    ask = (
        "import sys; from pipeline.fork_server.client import run_in_fork;"
        " print(run_in_fork(sys.argv[1], ['m'], {}))"
    )
    for _ in range(2):  # and it still serves
        command = [sys.executable, "-c", ask, address]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.stdout == "None\n"
    told = process.communicate()[1]
    assert told.count(b"cannot fork: no more processes") == 2 and process.returncode == 0


def test_without_a_server_the_caller_is_told(tmp_path: Path) -> None:
    code = (
        "import sys; from pipeline.fork_server.client import run_in_fork;"
        " print(run_in_fork(sys.argv[1], ['m'], {}))"
    )
    command = [sys.executable, "-c", code, tmp_path / "nobody"]
    assert (
        subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True).stdout == "None\n"
    )


def test_a_driver_that_was_started_is_noticed() -> None:
    """As on a machine whose GPUs were asked for in torch's default way; a simulated one here."""
    code = (
        "import torch, pipeline.fork_server.server as server;"
        "torch.cuda.is_available = lambda: True;"
        "torch.cuda._is_in_bad_fork = lambda: {bad};"
        "server.require_usable_gpus(); print('serves')"
    )
    for bad, said in ((False, "serves\n"), (True, "")):
        command = [sys.executable, "-c", code.format(bad=bad)]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        assert (done.stdout, done.returncode) == (said, int(bad))
        assert bad == ("could not use" in done.stderr)
