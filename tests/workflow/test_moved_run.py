"""A run that was copied, moved, or has lost `.snakemake/` knows what is stale as the original does."""

import shutil
from pathlib import Path

import pytest
from staleness_rows import CONFIG, ROWS, Row
from workflow_project import Project

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

CHANGES = ("`search`", "`run.seed`", "`base_detector`", "the screening's code")
CHOSEN = [row for row in ROWS if row.change in CHANGES]


def without_records(finished: Project, folder: Path) -> Project:
    """The same files with the same times; only Snakemake's folder is gone."""
    shutil.copytree(
        finished.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(".snakemake")
    )
    return Project(folder)


def copied(finished: Project, folder: Path) -> Project:
    """Another checkout with its results, with the times at which they were copied, as `cp -r` leaves them."""
    ignored = shutil.ignore_patterns(".snakemake")
    shutil.copytree(finished.folder, folder, ignore=ignored, copy_function=shutil.copyfile)
    return Project(folder)


def renamed(finished: Project, folder: Path) -> Project:
    """Under another name, in a checkout that has records of a run of the old name."""
    shutil.copytree(finished.folder, folder, symlinks=True)
    project = Project(folder)
    project.results.rename(project.results.with_name("other"))
    project.edit(CONFIG, "name: test", "name: other")
    return project


@pytest.mark.parametrize("moved", [without_records, copied, renamed])
def test_what_is_stale_is_said_as_on_the_original(moved, finished: Project, tmp_path: Path) -> None:
    project = moved(finished, tmp_path / "project")
    assert len(CHOSEN) == len(CHANGES)
    assert project.stale() == {}
    for row in CHOSEN:
        path = project.folder / row.file
        before = path.read_text()
        project.edit(row.file, row.old, row.new)
        assert project.stale() == row.stale, row.change
        path.write_text(before)


def test_another_run_in_its_place_is_another_run(finished: Project, tmp_path: Path) -> None:
    """What lies there was made with another config than what Snakemake has noted."""
    project = without_records(finished, tmp_path / "project")
    row: Row = next(row for row in ROWS if row.change == "`search`")
    assert project.stale() == {}
    project.edit(row.file, row.old, row.new)
    aside = project.results.with_name("aside")
    shutil.copytree(project.results, aside)
    shutil.rmtree(project.results)
    aside.rename(project.results)
    assert project.stale() == row.stale
