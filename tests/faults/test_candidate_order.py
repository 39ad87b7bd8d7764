"""The hill climbing is a function of its seed: in any order, side by side, after a kill: the same list."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from stage_jobs import Job, import_stages, kill_when, published, stage_jobs, start, wait
from workflow_project import Project

from pipeline.artifacts.files import read_json

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

GENERATIONS = (0, 1)


def _wave(jobs: list[Job], generation: int) -> list[Job]:
    place = f"generation_{generation}"
    found = [job for job in jobs if place in job.manifest.parts]
    return [job for job in found if job.module.endswith(".evaluate_candidate")]


def _single(jobs: list[Job], generation: int, stage: str) -> Job:
    place = f"generation_{generation}"
    (found,) = (
        job for job in jobs if place in job.manifest.parts and job.module.endswith(f".{stage}")
    )
    return found


def _has_checkpoint(folder: Path) -> bool:
    return any(folder.glob("work/*/checkpoints/*.pt"))


def _folders(climb: Path) -> Iterator[Path]:
    for manifest in sorted(climb.rglob("manifest.json")):
        yield manifest.parent.relative_to(climb)


def test_reversed_side_by_side_and_killed_candidates_give_the_same_list(
    finished: Project, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished.folder, project, ignore=shutil.ignore_patterns(".snakemake"))
    climb = project / "results/test/joint_detnas/hill_climb"
    shutil.rmtree(climb)
    jobs = stage_jobs(project, "config/test.yaml")
    import_stages([job for job in jobs if "hill_climb" in job.manifest.parts])
    log = tmp_path / "log"

    def run(job: Job) -> None:
        assert wait(start(job, project, log)) == 0, log.read_text()[-3000:]

    for generation in GENERATIONS:
        run(_single(jobs, generation, "propose"))
        first, second = _wave(jobs, generation)
        if generation == 0:
            # backwards, one after the other; the last is killed between two checkpoints
            run(second)
            pid = start(first, project, log, "--checkpoint-seconds", "0")
            assert kill_when(pid, partial(_has_checkpoint, project / first.manifest.parent))
            run(first)
            assert "resuming at iteration" in log.read_text()
        else:
            together = [start(job, project, log) for job in (second, first)]
            assert [wait(pid) for pid in together] == [0, 0], log.read_text()[-3000:]
        run(_single(jobs, generation, "rank"))

    expected = finished.results / "joint_detnas/hill_climb"
    compared = list(_folders(climb))
    assert len(compared) == 2 * (1 + 2 + 1)
    for folder in compared:
        assert published(climb / folder) == published(expected / folder), folder
    top = read_json(climb / "generation_1/ranking/ranking.json")["top"]
    assert len(top) == 2 and top[0]["scores"]
