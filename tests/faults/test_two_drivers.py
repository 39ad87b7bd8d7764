"""Two drivers on one results folder: one works, the other says why not, and the outcome is that of one."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from workflow_project import copy_project

from pipeline.artifacts.check import check_run

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

TARGET = "results/test/hit_detector/screening/supernet/manifest.json"


def test_the_second_driver_says_that_the_first_works(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    command = [sys.executable, "-m", "snakemake", TARGET, "--cores", "1"]
    with subprocess.Popen(
        [*command, "--configfile", "config/test.yaml"],
        cwd=project.folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as first:
        locks = project.folder / ".snakemake" / "locks"
        deadline = time.monotonic() + 60
        while not (locks.is_dir() and any(locks.iterdir())):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        second = project.snakemake(TARGET)
        assert first.poll() is None, "the first had ended before the second began"
        printed, _ = first.communicate()
    assert second.returncode != 0
    assert "cannot be locked" in second.stdout
    assert "no other Snakemake process" in second.stdout
    assert "Finished job" not in second.stdout
    assert first.returncode == 0, printed
    assert check_run(project.results).problems == []
    assert "Nothing to be done" in project.snakemake(TARGET).stdout
