"""The launcher: which devices a job takes, what it refuses, and its exit code from several processes."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.launch import (
    SHUTDOWN_TIMEOUT,
    DeviceError,
    devices_for,
    environment_of_several,
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


def test_torchrun_is_told_its_patience_in_a_way_that_older_ones_ignore(tmp_path: Path) -> None:
    environment = environment_of_several({"PATH": "x"}, tmp_path)
    assert environment["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] == "150" and environment["PATH"] == "x"


# Options that torchrun has had since before `--shutdown-timeout`; it refuses others.
OLDER_TORCHRUN = """
import argparse, os, pathlib, runpy, sys
parser = argparse.ArgumentParser()
parser.add_argument("--standalone", action="store_true")
parser.add_argument("--signals-to-handle")
parser.add_argument("--nproc-per-node", type=int)
parser.add_argument("-m", action="store_true", dest="module")
parser.add_argument("training_script")
parser.add_argument("arguments", nargs=argparse.REMAINDER)
given = parser.parse_args()
assert given.module and given.nproc_per_node == 2
pathlib.Path("started").write_text(given.training_script)
"""


def test_a_torchrun_that_knows_fewer_options_starts_a_stage(tmp_path: Path) -> None:
    folder = tmp_path / "torch" / "distributed"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()
    (folder / "run.py").write_text(OLDER_TORCHRUN)
    assert _launch(tmp_path, 2, "") == 0
    assert (tmp_path / "started").read_text() == "stage"


@pytest.mark.slow
def test_this_torch_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.distributed.launcher.api import LaunchConfig

    monkeypatch.setenv(SHUTDOWN_TIMEOUT, "150")
    config: Any = LaunchConfig(min_nodes=1, max_nodes=1, nproc_per_node=1)
    assert getattr(config, "shutdown_timeout", 150) == 150


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


def _launch(tmp_path: Path, processes: int, code: str) -> int:
    return _start(tmp_path, processes, code).wait()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_the_exit_code_is_that_of_the_stage(tmp_path: Path, processes: int) -> None:
    code = """
import os, pathlib, sys
if (rank := os.environ.get("RANK", "0")) == "0" and "DETSEARCH_OUTCOME" in os.environ:
    pathlib.Path(os.environ["DETSEARCH_OUTCOME"]).write_text("75")
assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
sys.exit(75)
"""
    assert _launch(tmp_path, processes, code) == 75


@pytest.mark.slow
def test_a_signal_to_all_processes_of_a_job_leaves_each_time_to_save(tmp_path: Path) -> None:
    """As a scheduler sends it: to the launcher, to torchrun and to every process of the stage."""
    code = """
import os, pathlib, signal, sys, time
rank = os.environ["RANK"]
def stop(number, frame):
    time.sleep(2)
    pathlib.Path(f"saved{rank}").touch()
    if rank == "0":
        pathlib.Path(os.environ["DETSEARCH_OUTCOME"]).write_text("75")
    sys.exit(75)
signal.signal(signal.SIGUSR1, stop)
signal.signal(signal.SIGTERM, lambda number, frame: None)
pathlib.Path(f"ready{rank}").touch()
while True:
    time.sleep(0.1)
"""
    launcher = _start(tmp_path, 2, code)
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("ready*"))) < 2:
            assert launcher.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        process = psutil.Process(launcher.pid)
        for each in [process, *process.children(recursive=True)]:
            each.send_signal(signal.SIGUSR1)
        assert launcher.wait(timeout=60) == 75
    finally:
        launcher.kill()
    assert len(list(tmp_path.glob("saved*"))) == 2
