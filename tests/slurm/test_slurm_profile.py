"""The project's own SLURM profile on a real local cluster, with two disturbances.

The long form, every stage and every fault, is `make slurm-test`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from local_cluster import LocalCluster
from slurm_run import SlurmRun, jobs_of, longer
from workflow_project import Project

from pipeline.artifacts.check import check_run
from pipeline.artifacts.manifest import MANIFEST

pytestmark = [
    pytest.mark.slow,
    pytest.mark.workflow,
    pytest.mark.slurm,
    pytest.mark.xdist_group("slurm"),
]

DETECTOR = "hit_detector/detector"
EVALUATION = "hit_detector/evaluation"
EPOCHS = 10


def test_stages_as_slurm_jobs_make_what_a_local_run_makes(
    finished: Project, cluster: LocalCluster, tmp_path: Path
) -> None:
    """The training is cancelled, and while it goes on in a new job the controller restarts."""
    folders = [tmp_path / "local", tmp_path / "slurm"]
    for folder in folders:
        shutil.copytree(finished.folder, folder, symlinks=True)
    local, slurm = (SlurmRun(Project(folder), cluster, longer(EPOCHS)) for folder in folders)

    driver = slurm.start(slurm.target(EVALUATION))
    cancelled = slurm.training(DETECTOR, driver)
    cluster.command("scancel", cancelled)
    slurm.wait_for(lambda: slurm.job_of(DETECTOR) not in (cancelled, None), driver)
    cluster.restart_controller(1.0)
    slurm.finish(driver)
    local.locally(local.target(EVALUATION))

    for artifact in (DETECTOR, EVALUATION):
        assert slurm.published(artifact) == local.published(artifact)
    assert check_run(slurm.project.results).problems == []
    log = (slurm.project.results / "logs/hit_detector/train_detector.log").read_text()
    assert "resuming at iteration" in log
    jobs = cluster.jobs()
    assert jobs.pop(cancelled).state == "CANCELLED"
    made = jobs_of(slurm.folder(each) / MANIFEST for each in (DETECTOR, EVALUATION))
    assert list(made.values()) == list(jobs), "one job each, and the cancelled one"
    assert [(job.state, job.gpus, job.cpus) for job in jobs.values()] == [
        ("COMPLETED", 1, 1),
        ("COMPLETED", 1, 2),
    ]
