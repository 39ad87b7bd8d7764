"""A user's own data by a config of a few lines: which stages there are then, and what they make."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_project import ROOT, Project, copy_project

from pipeline.artifacts.__main__ import STALE
from pipeline.artifacts.__main__ import main as artifacts
from pipeline.artifacts.manifest import Manifest
from pipeline.config.data import EmbeddedDetection
from pipeline.data.embedded import write_detection

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

PRETRAINING = {
    "prepare_classification_data": 1,
    "pretrain_screening_supernet": 1,
    "pretrain_search_supernet": 1,
    "pretrain_backbone": 1,
}
REST = {
    "prepare_detection_data": 1,
    "screen": 3,
    "search": 1,
    "derive": 1,
    "train_detector": 1,
    "evaluate": 1,
    "draw_report": 1,
}


REPORT = "results/test/report.html"


def own_data(folder: Path) -> dict[str, Any]:
    """The `data` section of somebody whose dataset has three splits."""
    few = EmbeddedDetection(train_images=12, val_images=6, image_size=64, object_size=(16, 40))
    folder.mkdir()
    write_detection(few, folder)
    splits = {}
    for split, like in (("train", "train"), ("val", "val"), ("test", "val")):
        file = folder / "annotations" / f"{like}.json"
        content = json.loads(file.read_text())
        # ids with gaps, in an order that is not sorted, as in many datasets
        for category in content["categories"]:
            category["id"] = 40 - 3 * category["id"]
        for annotation in content["annotations"]:
            annotation["category_id"] = 40 - 3 * annotation["category_id"]
        if split == "test":
            content["images"] = content["images"][:4]
            kept = {image["id"] for image in content["images"]}
            content["annotations"] = [a for a in content["annotations"] if a["image_id"] in kept]
        own = folder / f"{split}.json"
        own.write_text(json.dumps(content))
        splits[split] = {"annotations": str(own), "images": str(folder / "images" / like)}
    return {"detection": {"source": "coco", "coco": splits}}


def mend_the_head(file: Path) -> None:
    """Change what nothing reads: head, masks, dates, the order of keys, the layout."""
    content = json.loads(file.read_text())
    content["info"] = {"year": "2024", "version": 1.0}
    content["licenses"] = None
    for image in content["images"]:
        image["date_captured"] = 0
    for annotation in content["annotations"]:
        annotation["segmentation"] = [1, 2, 3, 4]
    file.write_text(json.dumps(dict(reversed(content.items())), indent=3))


def with_config(project: Project, content: dict[str, Any]) -> tuple[str, ...]:
    """Arguments that lay a config on top of the smallest run's; its report is Hit-Detector's alone."""
    path = project.folder / "own.yaml"
    run = {"methods": ["hit_detector"], **content.get("run", {})}
    path.write_text(yaml.safe_dump({**content, "run": run}))
    return ("--configfile", "config/test.yaml", str(path))


def test_ten_lines_name_the_data_and_a_changed_annotation_file_is_seen(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    data = own_data(tmp_path / "mine")
    data["classification"] = {"source": "crops", "crops": {"image_size": 32}}
    config = with_config(project, {"data": data})
    assert project.stale(REPORT, *config) == {**PRETRAINING, **REST}

    target = "results/test/data/classification/dataset.json"
    result = project.snakemake(target, *config)
    assert result.returncode == 0, result.stdout[-4000:]
    prepared = json.loads((project.results / "data/detection/dataset.json").read_text())
    assert prepared["classes"] == list("0123456789")
    assert {name: counts["images"] for name, counts in prepared["statistics"].items()} == {
        "train": 12,
        "val": 6,
        "test": 4,
    }
    crops = json.loads((project.results / target.removeprefix("results/test/")).read_text())
    assert crops["source"] == "crops" and len(crops["classes"]) >= 2
    assert crops["statistics"]["train"]["images"] > 12

    mend_the_head(tmp_path / "mine" / "test.json")
    assert artifacts(["verify", str(project.results)]) == 0
    assert project.stale(REPORT, *config) == {
        name: count for name, count in {**PRETRAINING, **REST}.items() if "prepare" not in name
    }

    file = tmp_path / "mine" / "test.json"
    content = json.loads(file.read_text())
    content["annotations"].pop()
    file.write_text(json.dumps(content))
    assert project.stale(REPORT, *config)["prepare_detection_data"] == 1
    assert artifacts(["verify", str(project.results)]) == STALE
    shutil.rmtree(project.folder / ".snakemake")
    assert project.stale(target, *config) == {
        "prepare_detection_data": 1,
        "prepare_classification_data": 1,
    }


def test_without_pretraining_its_stages_are_not_there(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    config = with_config(project, {"data": {"classification": {"source": "none"}}})
    assert project.stale(REPORT, *config) == REST


def test_networks_start_from_given_backbones(tmp_path: Path) -> None:
    """Each file is read first, a baseline with one is not pretrained, and of the others nothing changes."""
    project = copy_project(tmp_path)
    given = {"checkpoint": "resnet{18}.pth", "frozen_stages": 1}
    config = with_config(
        project,
        {
            "base_detector": {"pretrained": given},
            "teacher_pool": {"pretrained": given, "grown_from_base": False},
            "baselines": {"r18": {"pretrained": {"checkpoint": "r18.pth"}}},
        },
    )
    made = ("baselines/r18/detector", "joint_detnas/standard/r18/detector")
    made += ("joint_detnas/base/detector", "joint_detnas/teacher_pool/phase_1")
    targets = [f"results/test/{each}/manifest.json" for each in made]
    missing = project.snakemake("-n", *targets, *config)
    assert missing.returncode and "r18.pth" in missing.stdout
    (project.folder / "r18.pth").touch()
    assert project.stale(*targets, *config) == {
        "prepare_detection_data": 1,
        "choose_network": 2,
        "import_weights": 3,
        "train_detector": 1,
        "train_student": 2,
        "shrink_pool": 2,
    }


def test_given_weights_of_the_same_networks_give_the_same_detector(finished: Project) -> None:
    """The finished run's own weights, imported: all that follows must have the same bits."""
    files = {"backbone": "pretraining", "screening_supernet": "screening/supernet"}
    files["search_supernet"] = "supernet"
    given = {
        network: f"results/test/hit_detector/{folder}/weights.safetensors"
        for network, folder in files.items()
    }
    content = {
        "run": {"name": "again"},
        "data": {"classification": {"source": "checkpoint", "checkpoint": given}},
    }
    config = with_config(finished, content)
    jobs = finished.stale("results/again/report.html", *config)
    assert jobs == {"import_weights": 3, **REST}
    result = finished.snakemake("results/again/report.html", *config)
    assert result.returncode == 0, result.stdout[-6000:]
    again = finished.folder / "results" / "again"
    for name in ("search", ".", "detector", "evaluation"):
        ours, theirs = (
            Manifest.load(run / "hit_detector" / name / "manifest.json").files
            for run in (again, finished.results)
        )
        assert {**ours, "speed.json": ""} == {**theirs, "speed.json": ""}, name
    page = (again / "report.html").read_text()
    assert f"weights came from {given['screening_supernet']}" in page


BLOOD_CELLS = Path(os.environ.get("DETSEARCH_BCCD", ROOT / "../shared/data/bccd"))


@pytest.mark.skipif(
    not (BLOOD_CELLS / "instances_train.json").exists(),
    reason=f"the blood cells (BCCD) are not in {BLOOD_CELLS}; DETSEARCH_BCCD may name their folder",
)
def test_the_blood_cells_are_prepared_as_the_example_says(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    project = copy_project(tmp_path / "project")
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "shared" / "data" / "bccd").symlink_to(BLOOD_CELLS.absolute())
    only = ("--config", "run={methods: [hit_detector]}")
    config = ("--configfile", "config/examples/bccd.yaml", *only)
    assert project.stale("results/bccd/report.html", *config) == {**PRETRAINING, **REST}
    folder = project.folder / "results/bccd/data"
    result = project.snakemake("results/bccd/data/classification/dataset.json", *config)
    assert result.returncode == 0, result.stdout[-4000:]
    index = json.loads((folder / "detection/dataset.json").read_text())
    assert index["classes"] == ["RBC", "WBC", "Platelets"]
    assert {split: counts["images"] for split, counts in index["statistics"].items()} == {
        "train": 205,
        "val": 87,
        "test": 72,
    }
    crops = json.loads((folder / "classification/dataset.json").read_text())
    assert crops["classes"] == ["Platelets", "RBC", "WBC"]
    assert crops["statistics"] == {"train": {"images": 663}, "val": {"images": 180}}


def test_the_defaults_are_the_checkouts_wherever_snakemake_is_started(tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "elsewhere").mkdir()
    project = copy_project(tmp_path / "checkout")
    mine = tmp_path / "mine.yaml"
    mine.write_text("run: {name: mine}\n")
    command = [sys.executable, "-m", "snakemake", "-n", "-p", "hit_detector", "--cores", "1"]
    planned = []
    for folder in ("checkout", "elsewhere"):
        result = subprocess.run(
            [*command, "--snakefile", project.folder / "Snakefile", "--configfile", mine],
            cwd=tmp_path / folder,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        planned.append(set(re.findall(r"pipeline\.stages\.\w+ .*", result.stdout + result.stderr)))
    assert planned[0] == planned[1]
    shipped = yaml.safe_load((project.folder / "config/config.yaml").read_text())["training"]
    assert any(f'"training":{{"batch_size":{shipped["batch_size"]},' in line for line in planned[0])


def test_settings_that_cannot_work_are_told_in_one_list_before_a_job_starts(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    wrong = {
        "screening": {"batch_size": 13},
        "pretraining": {"batch_size": 41, "optimizer": {"type": "adamw", "lr": 0.4}},
        "teacher_pool": {"recalibration": {"images": 1000}},  # of what is not asked for
    }
    result = project.snakemake(REPORT, *with_config(project, wrong))
    assert result.returncode == 1
    for told in (
        "settings that cannot be used; no job was started:",
        "- screening.batch_size asks for 13 images at once, and there are 12 images in half of the 24",
        "- pretraining.batch_size asks for 41 images at once, and there are 40 images to pretrain on",
        "To look at:\n  - pretraining.optimizer.lr is 0.4; with adamw usual is 0.0001 to 0.003",
    ):
        assert told in result.stdout, result.stdout[-3000:]
    assert "recalibration" not in result.stdout
    assert not (project.results / "data").exists()
