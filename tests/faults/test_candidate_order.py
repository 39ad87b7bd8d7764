"""The hill climbing is a function of its seed: in any order, side by side, after a kill: the same list."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from stage_jobs import Job, published, stage_jobs
from warm_python import warm_python
from workflow_project import Project

from pipeline.artifacts.files import read_json
from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.lock import LOCK, is_alive
from pipeline.hill_climb.records import Evaluation

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


def start_job(job: Job, project: Path, log: Path, *extra: str) -> subprocess.Popen[bytes]:
    """Start a stage as the runs of these tests do, in a fork of a process that has imported the libraries.

    Not of this one, as the kill test's script does: torch's threads have run here.
    """
    command = [
        str(Path(warm_python()).with_name("python")),
        "-m",
        job.module,
        *job.arguments,
        "--run-folder",
        str(job.run_folder),
    ]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command, *extra],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def kill_job(started: subprocess.Popen[bytes], job: Job, project: Path) -> None:
    """SIGKILL a stage that still runs, and wait for its end."""
    started.kill()
    assert started.wait() < 0
    # its fork is killed in turn
    while is_alive(project / job.manifest.parent / LOCK):
        time.sleep(0.01)


def _has_checkpoint(folder: Path) -> bool:
    return any(folder.glob("work/*/checkpoints/*.pt"))


def test_reversed_side_by_side_and_killed_candidates_give_the_same_list(
    finished: Project, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished.folder, project, ignore=shutil.ignore_patterns(".snakemake"))
    climb = project / "results/test/joint_detnas/hill_climb"
    shutil.rmtree(climb)
    jobs = stage_jobs(project, "config/test.yaml")
    log = tmp_path / "log"

    def run(job: Job) -> None:
        assert start_job(job, project, log).wait() == 0, log.read_text()[-3000:]

    for generation in GENERATIONS:
        run(_single(jobs, generation, "propose"))
        first, second = _wave(jobs, generation)
        if generation == 0:
            # backwards, one after the other; the last is killed between two checkpoints
            run(second)
            killed = start_job(first, project, log, "--checkpoint-seconds", "0")
            while not _has_checkpoint(project / first.manifest.parent):
                assert killed.poll() is None, log.read_text()[-3000:]
                time.sleep(0.001)
            kill_job(killed, first, project)
            run(first)
            assert "resuming at iteration" in log.read_text()
        else:
            together = [start_job(job, project, log) for job in (second, first)]
            assert [process.wait() for process in together] == [0, 0], log.read_text()[-3000:]
        run(_single(jobs, generation, "rank"))

    expected = finished.results / "joint_detnas/hill_climb"
    compared = [folder.relative_to(climb) for folder in artifact_folders(climb)]
    assert len(compared) == 2 * (1 + 2 + 1)
    for folder in compared:
        assert published(climb / folder) == published(expected / folder), folder
    top = read_json(climb / "generation_1/ranking/ranking.json")["top"]
    assert len(top) == 2 and top[0]["scores"]


def test_two_processes_evaluate_a_candidate(finished: Project, tmp_path: Path) -> None:
    """The first one alone validates; what it found reaches the other, which computes the score, too."""
    shutil.copytree(finished.folder, tmp_path / "project")
    project = Project(tmp_path / "project")
    folder = project.results / "joint_detnas/hill_climb/generation_0/candidate_0"
    target = str((folder / "manifest.json").relative_to(project.folder))
    result = project.snakemake("--force", target, "--config", "run={gpus: 2, device: cpu}")
    assert result.returncode == 0, result.stdout[-6000:]
    again = Evaluation.model_validate(read_json(folder / "evaluation.json"))
    assert len(again.scores) == 2
    assert read_json(folder / "manifest.json")["wall_seconds"] > 0
