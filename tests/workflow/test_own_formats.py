"""The commonest data of all, through a whole tiny run: one class, one folder, in a format of its own."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_project import Project, copy_project

from pipeline.config.data import EmbeddedDetection
from pipeline.data.embedded import write_detection

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

SPLIT = {"val": 0.25, "test": 0.25, "seed": 1}
CHAIN, METRICS = "report.html", "hit_detector/evaluation/metrics.json"
PREPARED = "data/classification/dataset.json"


def digits(folder: Path) -> dict[str, dict[str, Any]]:
    """The same pictures of one class in every format: the sections of `data.detection`."""
    few = EmbeddedDetection(train_images=24, val_images=1, image_size=64, object_size=(16, 40))
    folder.mkdir()
    write_detection(few, folder)
    content = json.loads((folder / "annotations/train.json").read_text())
    content["categories"] = [{"id": 1, "name": "digit"}]
    for annotation in content["annotations"]:
        annotation["category_id"] = 1
        annotation["bbox"] = [round(value) for value in annotation["bbox"]]
        del annotation["area"]
    (folder / "classes.txt").write_text("digit\n")
    for image in content["images"]:
        boxes = [a["bbox"] for a in content["annotations"] if a["image_id"] == image["id"]]
        objects = "".join(
            f"<object><name>digit</name><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for x, y, w, h in boxes
        )
        lines = [
            f"0 {(x + w / 2) / 64} {(y + h / 2) / 64} {w / 64} {h / 64}" for x, y, w, h in boxes
        ]
        for kind, text in (
            ("xml", f"<annotation>{objects}</annotation>"),
            ("txt", "\n".join(lines)),
        ):
            file = folder / kind / image["file_name"]
            file.parent.mkdir(exist_ok=True)
            file.with_suffix(f".{kind}").write_text(text)
    images = {"images": str(folder / "images/train")}
    sections: dict[str, dict[str, Any]] = {
        kind: {"train": {"annotations": str(folder / name), **images}, "split": SPLIT}
        for kind, name in (("yolo", "txt"), ("voc", "xml"))
    }
    sections["yolo"]["names"] = str(folder / "classes.txt")
    return sections


def run(project: Project, kind: str, section: dict[str, Any], target: str) -> Path:
    """Make a target from the data in one format, in a run of that name; returns the run's folder."""
    content = {
        "run": {"name": kind, "methods": ["hit_detector"]},
        "data": {
            "detection": {"source": kind, kind: section},
            "classification": {"source": "crops", "crops": {"image_size": 32}},
        },
    }
    path = project.folder / f"{kind}.yaml"
    path.write_text(yaml.safe_dump(content))
    config = ("--configfile", "config/test.yaml", str(path))
    result = project.snakemake(f"results/{kind}/{target}", *config)
    assert result.returncode == 0, result.stdout[-6000:]
    return project.folder / "results" / kind


def normal(folder: Path) -> dict[str, Any]:
    """What all later stages read of the detection data, whatever ids a format has."""
    found: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        content = json.loads((folder / f"data/detection/annotations/{split}.json").read_text())
        names = {image["id"]: image["file_name"] for image in content["images"]}
        boxes = [
            (names[each["image_id"]], *each["bbox"], each["area"])
            for each in content["annotations"]
        ]
        found[split] = (sorted(names.values()), sorted(boxes), len(content["categories"]))
    return found


def test_one_class_in_one_folder_of_any_format_becomes_a_detector(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    sections = digits(tmp_path / "mine")
    yolo = run(project, "yolo", sections["yolo"], CHAIN)
    index = json.loads((yolo / "data/detection/dataset.json").read_text())
    assert index["classes"] == ["digit"]
    counts = {split: found["images"] for split, found in index["statistics"].items()}
    assert counts == {"train": 12, "val": 6, "test": 6}
    metrics = json.loads((yolo / METRICS).read_text())
    assert metrics["split"] == "test" and list(metrics["AP_per_class"]) == ["digit"]
    crops = json.loads((yolo / PREPARED).read_text())
    assert crops["classes"] == ["(background)", "digit"]
    objects = index["statistics"]["train"]["objects"]
    assert objects < crops["statistics"]["train"]["images"] <= 2 * objects

    # from here on a run sees nothing of the format
    voc = run(project, "voc", sections["voc"], PREPARED)
    assert normal(voc) == normal(yolo)
    assert json.loads((voc / PREPARED).read_text())["classes"] == crops["classes"]
