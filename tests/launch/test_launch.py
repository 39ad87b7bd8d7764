"""The launcher: which devices a job takes, what it refuses, and its exit code from several processes."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.launch import (
    DeviceError,
    devices_for,
    soft_limit,
    visible_devices,
)

EIGHT = [str(number) for number in range(8)]


def test_a_scheduled_job_takes_what_it_was_granted_and_refuses_anything_else() -> None:
    assert devices_for(2, ["0", "3"], "auto", scheduled=True) == ["0", "3"]
    for visible in ([], ["0"], ["0", "1", "2"]):
        with pytest.raises(DeviceError, match=f"2 GPUs were asked for, but {len(visible)} are"):
            devices_for(2, visible, "auto", scheduled=True)
    # on the CPU every GPU is hidden
    assert devices_for(0, EIGHT, "cpu", scheduled=True) == []


def test_without_a_scheduler_no_two_jobs_share_a_gpu(tmp_path: Path) -> None:
    def claim(gpus: int) -> list[str] | None:
        return devices_for(gpus, EIGHT, "cuda", scheduled=False, locks=tmp_path)

    first, second = claim(3), claim(4)
    assert first is not None and second is not None
    assert len(first) == 3 and len(second) == 4 and not set(first) & set(second)
    with pytest.raises(DeviceError, match="9 GPUs"):
        claim(9)
    # another process finds the eighth alone
    code = (
        "from pathlib import Path; from pipeline.launch import devices_for;"
        f"print(devices_for(1, {EIGHT}, 'cuda', scheduled=False, locks=Path({str(tmp_path)!r})))"
    )
    command = [sys.executable, "-c", code]
    other = subprocess.run(command, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(sorted({*EIGHT} - {*first, *second}))


def test_one_gpu_may_be_missing_with_auto_only() -> None:
    assert devices_for(1, [], "auto", scheduled=False) is None
    for gpus, device in ((1, "cuda"), (2, "auto")):
        with pytest.raises(DeviceError):
            devices_for(gpus, [], device, scheduled=False)


def test_visible_devices_are_those_that_are_named() -> None:
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "2,5"}) == ["2", "5"]
    assert visible_devices({"CUDA_VISIBLE_DEVICES": ""}) == []
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}) == []


def test_without_the_variable_devices_are_counted_from_zero(tmp_path: Path) -> None:
    """A container that has the machine's fourth GPU: CUDA knows it as device 0."""
    for name in ("nvidiactl", "nvidia-uvm", "nvidia-caps", "nvidia3x", "nvidia-modeset"):
        (tmp_path / name).touch()
    assert visible_devices({}, tmp_path) == []
    (tmp_path / "nvidia3").touch()
    assert visible_devices({}, tmp_path) == ["0"]
    (tmp_path / "nvidia11").touch()
    assert visible_devices({}, tmp_path) == ["0", "1"]
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "3"}, tmp_path) == ["3"]


def test_every_user_of_a_workstation_can_claim(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    devices_for(1, EIGHT, "cuda", scheduled=False, locks=locks)
    assert stat.S_IMODE(locks.stat().st_mode) == 0o1777
    (tmp_path / "no_folder").touch()
    with pytest.raises(DeviceError, match="cannot be claimed"):
        devices_for(1, EIGHT, "cuda", scheduled=False, locks=tmp_path / "no_folder" / "locks")


def test_the_soft_limit_lies_three_minutes_before_the_limit_and_never_before_the_job() -> None:
    assert soft_limit(7200) == 7020
    assert soft_limit(60) == 30


def _start(tmp_path: Path, processes: int, code: str) -> subprocess.Popen[bytes]:
    (tmp_path / "stage.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[2]}:{tmp_path}"}
    command = [sys.executable, "-m", "pipeline.launch", "0", str(processes), "60", "stage"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=quiet, stderr=quiet)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_exit_code_is_that_of_the_stage(tmp_path: Path, processes: int) -> None:
    code = """
import os, sys
assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
sys.exit(75)
"""
    assert _start(tmp_path, processes, code).wait() == 75


def test_a_signal_to_all_processes_of_a_job_leaves_each_time_to_save(tmp_path: Path) -> None:
    """As a scheduler sends it, and sends it again: to the launcher and to every process of the stage."""
    code = """
import os, pathlib, signal, sys, time
rank = os.environ["RANK"]
asked = []
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, lambda number, frame: asked.append(number))
pathlib.Path(f"ready{rank}").touch()
while not asked:
    time.sleep(0.05)
time.sleep(1)
pathlib.Path(f"saved{rank}").touch()
sys.exit(75)
"""
    launcher = _start(tmp_path, 2, code)
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("ready*"))) < 2:
            assert launcher.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process = psutil.Process(launcher.pid)
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM):
            for each in [process, *process.children(recursive=True)]:
                each.send_signal(number)
            time.sleep(0.1)
        assert launcher.wait(timeout=60) == 75
    finally:
        launcher.kill()
    assert len(list(tmp_path.glob("saved*"))) == 2
