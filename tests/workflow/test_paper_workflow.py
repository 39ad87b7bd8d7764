"""The papers' recipe as a workflow: the whole DAG without data, and no job where data is missing."""

from pathlib import Path

import pytest
from workflow_project import copy_project

pytestmark = [pytest.mark.slow, pytest.mark.workflow]


def test_a_dry_run_shows_every_stage_and_a_real_run_refuses_to_start(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    jobs = project.stale("--configfile", "config/paper.yaml")
    assert jobs["screen"] == 3
    assert {"pretrain_screening_supernet", "search", "pretrain_backbone", "train_detector"} < {
        *jobs
    }
    result = project.snakemake("--configfile", "config/paper.yaml")
    assert result.returncode != 0
    assert result.stdout.count("datasets are missing; no job was started") == 1
    assert "Traceback" not in result.stdout
    assert "data/imagenet/train" in result.stdout
    assert not list((tmp_path / "results").rglob("manifest.json"))
