"""The lock of an artifact: two living processes never work on it at once, a dead one's is taken over."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.artifacts import lock
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.lock import LOCK, Holder, holder, is_alive, locked

HOLD = """
import sys, time
from pathlib import Path
from pipeline.artifacts.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def elsewhere(folder: Path) -> Path:
    """A lock that a process on another machine holds."""
    path = folder / LOCK
    held = Holder(token="t", host="another-node", pid=1, process_started=0.0, job="4711")
    path.write_text(held.model_dump_json())
    return path


def test_a_lock_is_held_and_leaves_nothing(tmp_path: Path) -> None:
    with locked(tmp_path) as waited:
        assert not waited
        held = holder(tmp_path / LOCK)
        assert held is not None
        assert held.pid == os.getpid()
        assert is_alive(tmp_path / LOCK)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_released_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_second_waits_for_a_living_first(tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    first = hold(tmp_path)
    released = threading.Event()

    def release() -> None:
        released.set()
        first.communicate("")

    threading.Timer(1.0, release).start()
    with locked(tmp_path) as waited:
        assert waited
        assert released.is_set()
    first.wait()
    assert f"waiting for process {first.pid} on " in caplog.text


def test_a_killed_process_is_taken_over_at_once(tmp_path: Path, caplog) -> None:
    first = hold(tmp_path)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path) as waited:
        assert not waited
    assert "waiting for" not in caplog.text
    assert f"taking over from process {first.pid} on " in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_pid_that_went_to_another_process_is_dead(tmp_path: Path) -> None:
    mine = Holder.this_process()
    path = tmp_path / LOCK
    path.write_text(mine.model_dump_json())
    assert is_alive(path)
    path.write_text(mine.model_copy(update={"process_started": 12.0}).model_dump_json())
    assert not is_alive(path)


def test_on_another_machine_the_heartbeat_tells(tmp_path: Path, caplog) -> None:
    path = elsewhere(tmp_path)
    assert is_alive(path)
    assert not is_alive(path, dead_after=0.0)
    long_ago = time.time() - 2 * lock.DEAD_SECONDS
    os.utime(path, (long_ago, long_ago))
    assert not is_alive(path)
    with locked(tmp_path):
        assert "taking over from job 4711, process 1 on another-node" in caplog.text


def test_the_heart_beats(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.05)
    with locked(tmp_path):
        path = tmp_path / LOCK
        os.utime(path, (0, 0))
        time.sleep(0.5)
        assert path.stat().st_mtime > time.time() - 60


def test_of_many_that_find_a_dead_one_only_one_works_at_a_time(tmp_path: Path) -> None:
    path = elsewhere(tmp_path)
    os.utime(path, (0, 0))
    inside, most, done = 0, 0, 0
    count = threading.Lock()

    def work() -> None:
        nonlocal inside, most, done
        with locked(tmp_path):
            with count:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with count:
                inside -= 1
                done += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, done) == (1, 4)
    assert list(tmp_path.iterdir()) == []


def test_a_process_whose_lock_was_taken_over_stops(tmp_path: Path) -> None:
    """Suspended for long, then waking up: it must not write beside its successor."""
    code = HOLD.replace(
        "with locked", "from pipeline.artifacts import lock\nlock.BEAT_SECONDS = 0.05\nwith locked"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    elsewhere(tmp_path)
    assert process.wait(timeout=120) == lock.LOST
    assert (tmp_path / LOCK).exists(), "the successor's"


def test_a_clock_that_was_set_takes_no_living_lock(tmp_path: Path, monkeypatch) -> None:
    process = lock.psutil.Process
    monkeypatch.setattr(process, "create_time", lambda self: time.time() + 5)
    with locked(tmp_path):
        monkeypatch.setattr(process, "create_time", lambda self: time.time() + 50)
        assert is_alive(tmp_path / LOCK)


def test_in_another_container_the_heartbeat_tells(tmp_path: Path) -> None:
    """There the pid is another's, or nobody's, although the host has the same name."""
    path = tmp_path / LOCK
    mine = Holder.this_process()
    other = mine.model_copy(update={"pids": "pid:[1]", "pid": 2**22 + 1})
    path.write_text(other.model_dump_json())
    assert is_alive(path)
    os.utime(path, (0, 0))
    assert not is_alive(path)


def test_a_heartbeat_from_the_future_does_not_block_for_ever(tmp_path: Path) -> None:
    path = elsewhere(tmp_path)
    future = time.time() + 2 * lock.DEAD_SECONDS
    os.utime(path, (future, future))
    assert not is_alive(path)
    with locked(tmp_path) as waited:
        assert not waited


def test_a_lock_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / LOCK).mkdir()
    with pytest.raises(ArtifactError, match=r"work\.lock cannot be read .*: it should be the lock"):
        holder(tmp_path / LOCK)
    with pytest.raises(ArtifactError), locked(tmp_path):
        pass


def test_a_lock_of_nobody_is_taken_over_when_its_time_is_over(tmp_path: Path) -> None:
    path = tmp_path / LOCK
    negative = Holder.this_process().model_dump() | {"pid": -1}
    path.write_text(json.dumps(negative))
    assert holder(path) is None
    assert is_alive(path)
    os.utime(path, (0, 0))
    with locked(tmp_path) as waited:
        assert not waited


def test_who_works_in_a_folder_that_is_deleted_stops_with_a_sentence(tmp_path: Path) -> None:
    code = HOLD.replace(
        "with locked",
        "import logging\nlogging.basicConfig()\n"
        "from pipeline.artifacts import lock\nlock.BEAT_SECONDS = 0.05\nwith locked",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "held\n"
    (tmp_path / LOCK).unlink()
    assert process.wait(timeout=120) == lock.LOST
    assert "was deleted while this process worked there; it stops" in process.stderr.read()
