"""From a folder of photographs in a format of its own to the jobs of `snakemake front`, by commands alone."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_own_formats import digits
from workflow_project import copy_project

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def test_a_folder_of_photographs_becomes_a_front_that_can_be_planned(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    digits(project.folder / "mine")

    def python(*line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *line],
            cwd=project.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    data = ("--annotations", "mine/xml", "--images", "mine/images/train")
    begun = python("pipeline.begin", *data, "--device", "cpu", "--out", "mine.yaml")
    assert begun.returncode == 0, begun.stdout
    assert "24 images in Pascal VOC's format" in begun.stdout
    again = python("pipeline.begin", *data, "--out", "mine.yaml")
    assert again.returncode == 1 and "is there already" in again.stdout

    # what it says to do next, as it says it
    plan, doctor, front = (
        shlex.split(line) for line in begun.stdout.splitlines() if line.startswith("  ")
    )
    assert front[0] == "snakemake"
    jobs = project.stale(*front[1:])
    # `run.methods` of the config says that `snakemake` alone makes the same
    assert front[3] == "front"
    assert {**project.stale(*front[1:3], *front[4:]), "front": 1} == jobs
    trained = {name: jobs[name] for name in ("choose_network", "train_student", "shrink_pool")}
    assert trained == {"choose_network": 1, "train_student": 1, "shrink_pool": 2}
    assert jobs["take_front"] == jobs["measure_subnets"] == jobs["prepare_detection_data"] == 1
    planned = python(*plan)
    assert planned.returncode == 0 and "front, together" in planned.stdout, planned.stdout
    found = python(*doctor[2:]).stdout
    assert "content of data.detection: train 14 images" in found
    faults = [line for line in found.splitlines() if line.startswith("fault")]
    assert not [line for line in faults if "data" in line or "settings" in line]
