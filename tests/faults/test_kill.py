"""Stages that are killed and run again publish what an undisturbed run publishes.

The long form, 20 moments in every stage, is `make kill-test`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_project import ROOT, Project

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

STAGES = ("search", "train_detector")
SCRIPT = Path(__file__).with_name("kill_stages.py")


def test_a_killed_stage_goes_on_and_publishes_the_same(finished: Project, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished.folder, project, ignore=shutil.ignore_patterns(".snakemake"))
    path = os.pathsep.join([str(project), str(ROOT / "tests/workflow")])
    command = [sys.executable, str(SCRIPT), "--project", str(project), "--moments", "2"]
    result = subprocess.run(
        [*command, "--first", "--stage", *STAGES],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == len(STAGES)
    for line in lines:
        assert "2 killed" in line
        assert line.endswith("all equal")
        assert " 0 resumed" not in line
