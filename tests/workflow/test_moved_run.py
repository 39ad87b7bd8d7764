"""A run that was copied, moved, or has lost `.snakemake/` knows what is stale as the original does."""

import os
import shutil
from pathlib import Path

import pytest
from staleness_rows import CONFIG, ROWS, Row
from workflow_project import Project

from pipeline.artifacts.check import check_run
from pipeline.artifacts.manifest import HISTORY, INVENTORY, MANIFEST, Manifest
from pipeline.artifacts.publish import publish

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

FOUR = ("`search`", "`run.seed`", "`base_detector`", "the screening's code")
EIGHT = (
    *FOUR,
    "`data.detection`",
    "`screening.joint`",
    "`hill_climb.generations`: the search goes on from its list",
    "the distillation losses, which no stage of Hit-Detector imports",
)


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


def test_what_another_config_asked_first_changes_nothing(finished: Project, tmp_path: Path) -> None:
    """With controls the tree of descent has other inputs; without them it is again what was made."""
    project = without_records(finished, tmp_path / "project")
    asked = project.stale("joint_figure6", "--config", "hill_climb={controls: true}")
    assert asked["trace_descent"] == 1
    assert project.stale() == {}
    assert project.stale("joint_figure6", "--config", "hill_climb={controls: true}") == asked


@pytest.mark.parametrize(
    ("moved", "changes"), [(without_records, EIGHT), (renamed, EIGHT), (copied, FOUR)]
)
def test_what_is_stale_is_said_as_on_the_original(
    moved, changes: tuple[str, ...], finished: Project, tmp_path: Path
) -> None:
    project = moved(finished, tmp_path / "project")
    chosen = [row for row in ROWS if row.change in changes]
    assert len(chosen) == len(changes)
    assert project.stale() == {}
    for row in chosen:
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


def test_an_older_version_put_back_is_stale_by_itself(finished: Project, tmp_path: Path) -> None:
    """Whole and sound, with the times of what it replaces: Snakemake alone sees no change."""
    project = Project(tmp_path / "project")
    shutil.copytree(finished.folder, project.folder, symlinks=True)
    folder = project.results / "hit_detector/search"
    manifest = Manifest.load(folder / MANIFEST)
    times = {name: (folder / name).stat() for name in (*manifest.files, MANIFEST)}
    kept = {name: (folder / name).read_bytes() for name in (HISTORY, INVENTORY)}
    search = {**manifest.config["search"], "cost_weight": 0.5}
    older = manifest.model_copy(update={"config": {**manifest.config, "search": search}})
    publish(folder, {name: (folder / name).read_bytes() for name in manifest.files}, older)
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    for name, was in times.items():
        os.utime(folder / name, ns=(was.st_atime_ns, was.st_mtime_ns))
    row = next(row for row in ROWS if row.change == "`search`")
    assert project.stale() == row.stale
    check = check_run(project.results)
    assert check.problems == [] and check.to_repair == [folder]
