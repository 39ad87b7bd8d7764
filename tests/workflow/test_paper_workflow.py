"""The papers' recipe as a workflow: the whole DAG without data, and no job where data is missing."""

import re
from pathlib import Path

import pytest
from workflow_project import copy_project

pytestmark = [pytest.mark.slow, pytest.mark.workflow]


def test_a_dry_run_shows_every_stage_and_a_real_run_refuses_to_start(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    paper = ("--configfile", "config/paper.yaml")
    jobs = project.stale(*paper)
    assert jobs["screen"] == 3
    assert {"pretrain_screening_supernet", "search", "pretrain_backbone", "train_detector"} < {
        *jobs
    }
    result = project.snakemake("hit_detector", "-n", "--profile", "slurm", *paper)
    asked = dict(re.findall(r"^Job \d+: (.*) \((.*)\)$", result.stdout, re.MULTILINE))
    training = "GPUs: 8, CPUs: 64, MB: 88000, minutes: 720"
    assert asked["Searching hit_detector end to end"] == training
    assert asked["Screening the neck of hit_detector"] == training
    assert asked["Pretraining the backbone of hit_detector"] == training
    assert asked["Evaluating hit_detector"] == "GPUs: 8, CPUs: 64, MB: 88000, minutes: 120"
    assert asked["Preparing the classification dataset"] == "CPUs: 1, MB: 24000, minutes: 600"
    assert sum(jobs.values()) >= len(asked) >= 12
    result = project.snakemake(*paper)
    assert result.returncode != 0
    assert result.stdout.count("datasets are missing; no job was started") == 1
    assert "Traceback" not in result.stdout
    assert "data/imagenet/train" in result.stdout
    assert not list((tmp_path / "results").rglob("manifest.json"))
