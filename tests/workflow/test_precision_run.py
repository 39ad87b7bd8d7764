"""`run.precision: bf16`, which `pipeline.begin` writes for a GPU, through all stages of both methods."""

from pathlib import Path

import pytest
from workflow_project import copy_project

from pipeline.artifacts.files import read_json
from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.detection.complexity import detector_complexity
from pipeline.search_space.architecture import Architecture

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

TRAINING = {
    *("pretrain_backbone", "screen", "search", "train_detector", "train_student", "shrink_pool"),
    *("evaluate_candidate", "evaluate", "evaluate_subnets", "take_front"),
}


def test_all_stages_run_in_bf16_and_count_the_same_costs(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    result = project.snakemake("all", "front", "--config", "run={precision: bf16}")
    assert result.returncode == 0, result.stdout[-6000:]
    stages = [Manifest.load(folder / MANIFEST) for folder in artifact_folders(project.results)]
    computed = {each.stage: each.config.get("computing", {}) for each in stages}
    assert {computed[stage].get("precision") for stage in TRAINING} == {"bf16"}
    for detector in ("hit_detector", "joint_detnas/student"):
        folder = project.results / detector
        metrics = read_json(folder / "evaluation/metrics.json")
        settings = Manifest.load(folder / "evaluation" / MANIFEST).config
        network = Architecture.load(folder / "detector/architecture.json")
        total = detector_complexity(network, settings["proposals"]).total
        assert (metrics["macs"], metrics["params"]) == (total.macs, total.params)
