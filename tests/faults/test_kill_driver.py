"""A run whose driver was killed goes on with the plain command, and computes nothing twice.

The long form, 20 moments of each way, is `make kill-driver-test`.
"""

import shutil
from pathlib import Path

import pytest
from kill_drivers import WAYS, kill_drivers
from workflow_project import Project

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]


def test_after_a_killed_driver_the_plain_command_goes_on(finished: Project, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished.folder, project)
    outcomes = kill_drivers(Project(project), moments=2)
    assert [outcome.way for outcome in outcomes] == [*WAYS, *WAYS]
    assert [outcome.line() for outcome in outcomes if outcome.problems] == []
