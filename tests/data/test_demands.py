"""What trainings ask of the data is told before the first of them, in the list of the data's defects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.manifest import MANIFEST
from pipeline.config.data import CocoDetection, CropsClassification
from pipeline.data.coco import inspect_coco
from pipeline.data.dataset_demands import detection_defects
from pipeline.data.defects import FILE as DEFECTS
from pipeline.data.demands import FILE, Batch, Counts, Demands, Of, remarks, unmet
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.runner.stage import stage_main
from pipeline.stages import prepare_detection_data

THERE = Counts(listed=12, with_boxes=9, size=(640, 480), classification=30)


@pytest.mark.parametrize(
    ("of", "most", "words"),
    [
        ("train", 9, "there are 9 training images with a box"),
        ("half", 4, "there are 4 images in half of the 9 training images with a box"),
        ("listed", 12, "there are 12 training images"),
        ("classification", 30, "there are 30 images to pretrain on"),
    ],
)
def test_a_batch_is_refused_from_one_image_too_many(of: Of, most: int, words: str) -> None:
    fits, exceeds = (
        Demands(batches=(Batch(key="x.batch_size", images=images, of=of),))
        for images in (most, most + 1)
    )
    assert list(unmet(fits, THERE)) == []
    ((key, told),) = unmet(exceeds, THERE)
    assert key == "x.batch_size"
    assert told == f"asks for {most + 1} images at once, and {words}"
    assert list(unmet(exceeds, Counts())) == [], "what is not known is not refused"


@pytest.mark.parametrize(
    ("scale", "told"),
    [
        ((1333, 800), None),
        ((320, 240), None),
        ((128, 128), "x is [128, 128], and half of the training images are about 640 x 480"),
        ((4000, 3000), "resized by 6.2; usual are sizes near the images', [640, 480]"),
    ],
)
def test_a_scale_far_from_the_images_sizes_is_a_remark(scale, told: str | None) -> None:
    found = list(remarks(Demands(scales={"x": scale}), THERE))
    assert len(found) == (told is not None)
    assert told is None or told in found[0]


def test_a_batch_of_more_than_half_of_the_data_is_a_remark() -> None:
    batches = tuple(Batch(key=f"b{n}", images=n, of="train") for n in (4, 5, 9, 10))
    assert [told.split()[0] for told in remarks(Demands(batches=batches), THERE)] == ["b5", "b9"]


def test_demands_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert Demands.read(tmp_path) == Demands()
    wanted = Demands(
        batches=(Batch(key="a", images=2, of="half"),),
        scales={"detector.image_scale": (3, 2)},
        crops=CropsClassification(smallest=4),
    )
    wanted.write(tmp_path)
    assert Demands.read(tmp_path) == wanted
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ArtifactError, match="is damaged"):
        Demands.read(tmp_path)


def own_data(folder: Path, *, images: int = 6, empty: int = 0, classes: int = 2) -> dict:
    """The settings of a small dataset: a box in every image but for the last `empty` ones."""
    content = {
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": 40, "height": 30 + n} for n in range(images)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": n % classes, "bbox": [2, 3, 20, 10]}
            for n in range(images - empty)
        ],
        "categories": [{"id": n, "name": f"c{n}"} for n in range(2)],
    }
    splits = {}
    (folder / "own.json").write_text(json.dumps(content))
    for split in ("train", "val"):
        (folder / split).mkdir()
        for n in range(images):
            Image.new("RGB", (40, 30 + n)).save(folder / split / f"{n}.png")
        splits[split] = {
            "annotations": str(folder / "own.json"),
            "images": str(folder / split),
        }
    return {"dataset": {"source": "coco", "coco": splits}}


def prepare(settings: dict, run: Path) -> None:
    """Run the stage."""
    arguments = ["--settings", json.dumps(settings), "--manifest", str(run / "data" / MANIFEST)]
    stage_main(
        prepare_detection_data.run,
        prepare_detection_data.Settings,
        argv=[*arguments, "--run-folder", str(run)],
    )


@pytest.mark.slow
def test_the_stage_tells_defects_of_data_and_settings_in_one_list(tmp_path: Path, capfd) -> None:
    settings, run = own_data(tmp_path, empty=2, classes=1), tmp_path / "run"
    for split in ("train", "val"):
        (tmp_path / split / "3.png").write_bytes(b"no image")
    Demands(
        batches=(
            Batch(key="screening.batch_size", images=3, of="half"),
            Batch(key="pretraining.batch_size", images=9, of="classification"),
            Batch(key="training.batch_size", images=4, of="train"),
        ),
        crops=CropsClassification(smallest=4, background=False),
    ).write(run)
    with pytest.raises(SystemExit) as ended:
        prepare(settings, run)
    assert ended.value.code == 1
    told = capfd.readouterr().err.strip()
    for part in (
        "unreadable image (2)",
        "too few classes (1)",
        "own.json, screening.batch_size: asks for 3 images at once, and there are 2 images in half of",
        "own.json, pretraining.batch_size: asks for 9 images at once, and there are 4 images to",
    ):
        assert part in told, told
    assert "training.batch_size: asks for 4" not in told


def test_boxes_that_are_no_boxes_are_told_once(tmp_path: Path) -> None:
    split = CocoDetection.model_validate(own_data(tmp_path)["dataset"]["coco"]).train
    file = Path(split.annotations)
    content = json.loads(file.read_text())
    for entry in content["annotations"]:
        entry["bbox"] = [0.1, 0.2, 0.3, 0.4]
    file.write_text(json.dumps(content))
    summary, (defect,) = inspect_coco(file, Path(split.images), "train")
    assert summary is not None and "look like fractions" in defect.detail
    demands = Demands(
        batches=(
            Batch(key="training.batch_size", images=1, of="train"),
            Batch(key="screening.batch_size", images=1, of="half"),
            Batch(key="validation.batch_size", images=7, of="listed"),
        ),
        crops=CropsClassification(smallest=4),
    )
    (told,), _ = detection_defects(demands, {"train": summary, "val": summary}, file)
    assert "asks for 7 images at once, and there are 6 training images" in told.detail


@pytest.mark.slow
def test_what_is_counted_is_what_a_detectors_training_sees(tmp_path: Path) -> None:
    settings, run = own_data(tmp_path, images=5, empty=2), tmp_path / "run"
    content = json.loads((tmp_path / "own.json").read_text())
    content["annotations"].append(
        {"id": 9, "image_id": 3, "category_id": 0, "bbox": [2, 3, 20, 10], "iscrowd": 1}
    )
    (tmp_path / "own.json").write_text(json.dumps(content))
    prepare(settings, run)
    index = DatasetIndex.load(run / "data" / FILE_NAME)
    there = Counts.of_statistics(index.statistics["train"])
    assert there == Counts(listed=5, with_boxes=4, size=(40, 32))

    from pipeline.config.detector import DetectorConfig
    from pipeline.detection.dataset import build_dataset

    for train, count in ((True, 4), (False, 5)):
        dataset = build_dataset(
            index.split("train"), list(index.classes), DetectorConfig(), train=train
        )
        assert len(dataset) == count


@pytest.mark.slow
def test_many_defects_stand_in_a_file_and_some_of_each_kind_in_the_message(
    tmp_path: Path, capfd
) -> None:
    settings, run = own_data(tmp_path, images=1), tmp_path / "run"
    content = json.loads((tmp_path / "own.json").read_text())
    content["annotations"] = [
        {"id": n, "image_id": 0, "category_id": 5 + n % 2, "bbox": [2, 3, 20, 10]}
        for n in range(99)
    ]
    (tmp_path / "own.json").write_text(json.dumps(content))
    with pytest.raises(SystemExit):
        prepare(settings, run)
    told = capfd.readouterr().err.strip()
    assert "unknown category id (198):" in told and "... and 188 more" in told
    file = run / "logs" / f"prepare_detection_data.{DEFECTS}"
    assert told.endswith(f"The whole list is in {file}")
    lines = file.read_text().splitlines()
    assert len(lines) == 198
    assert lines[98].startswith("unknown category id\t[train] ")
    assert "annotation 98: its category_id is 5" in lines[98]
