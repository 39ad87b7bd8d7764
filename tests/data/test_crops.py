"""Crops of a detection dataset's boxes: which, where, and the same every time."""

import hashlib
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from pipeline.config.data import CocoDetection, CropsClassification
from pipeline.data.background import background_boxes
from pipeline.data.crop_area import crop_area
from pipeline.data.crops import folder_name
from pipeline.data.defects import DatasetError
from pipeline.data.index import DatasetIndex
from pipeline.data.prepare import prepare_classification, prepare_detection

COLOURS = {1: (250, 10, 10), 2: (10, 250, 10), 3: (10, 10, 250)}
NAMES = {1: "red/x", 2: "green.", 3: "blue"}


def detection(root: Path, *, val: tuple[int, ...] = (1, 2, 3)) -> Path:
    """Boxes of one colour each on grey; returns the folder of the prepared dataset."""
    for split, labels in (("train", (1, 2, 3, 1, 1)), ("val", val)):
        (root / split).mkdir()
        images, annotations = [], []
        for number, label in enumerate(labels):
            pixels = np.full((60, 100, 3), 128, np.uint8)
            pixels[20:40, 70:100] = COLOURS[label]
            Image.fromarray(pixels).save(root / split / f"{number}.png")
            images.append({"id": number, "file_name": f"{number}.png", "width": 100, "height": 60})
            common = {"image_id": number, "category_id": label, "area": 600}
            boxes = ([70, 20, 30, 20], [0, 0, 3, 5], [0, 0, 90, 50])
            annotations += [
                {"id": 3 * number + n, "bbox": box, "iscrowd": int(n == 2), **common}
                for n, box in enumerate(boxes)
            ]
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": i, "name": name} for i, name in NAMES.items()],
        }
        (root / f"{split}.json").write_text(json.dumps(content))
    paths = {
        split: {"annotations": str(root / f"{split}.json"), "images": str(root / split)}
        for split in ("train", "val")
    }
    (root / "data").mkdir()
    prepare_detection(CocoDetection.model_validate(paths), root / "data")
    return root / "data"


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make(settings: CropsClassification, data: Path, out: Path) -> DatasetIndex:
    out.mkdir()
    prepare_classification(settings, out, detection=data)
    return DatasetIndex.load(out / "dataset.json")


def test_each_box_becomes_a_crop_of_its_class_and_tiny_and_crowd_boxes_do_not(tmp_path):
    data = detection(tmp_path)
    index = make(CropsClassification(context=0.0, image_size=32), data, tmp_path / "a")
    assert index.classes == ("blue", "green%2E", "red%2Fx")
    assert index.statistics == {"train": {"images": 5}, "val": {"images": 3}}
    train = ImageFolder(str(index.folder("train")))
    assert [Path(path).name for path, _ in train.samples] == [
        "000000006.png",
        "000000003.png",
        "000000000.png",
        "000000009.png",
        "000000012.png",
    ]
    by_folder = {folder_name(name): COLOURS[label] for label, name in NAMES.items()}
    for image, label in (train[i] for i in range(5)):
        assert image.size == (32, 32)
        # 30 × 30 pixels around the box of 30 × 20: its middle is the object, above is background
        assert image.getpixel((16, 16)) == by_folder[train.classes[label]]
        assert image.getpixel((16, 1)) == (128, 128, 128)


def test_the_same_data_and_seed_give_the_same_files(tmp_path):
    data = detection(tmp_path)
    few = CropsClassification(train_images_per_class=2, seed=3)
    index = make(few, data, tmp_path / "a")
    assert index.statistics["train"] == {"images": 4}
    make(few, data, tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    chosen = {
        tuple(sorted(digests(tmp_path / f"s{seed}" / "train")))
        for seed in range(6)
        if make(few.model_copy(update={"seed": seed}), data, tmp_path / f"s{seed}")
    }
    assert len(chosen) > 1


def test_a_class_without_crops_is_left_out_and_one_class_is_refused(tmp_path, caplog):
    (tmp_path / "two").mkdir()
    with caplog.at_level(logging.WARNING):
        index = make(CropsClassification(), detection(tmp_path / "two", val=(1, 3)), tmp_path / "a")
    assert index.classes == ("blue", "red%2Fx")
    assert "Class green. is left out" in caplog.text
    (tmp_path / "one").mkdir()
    with pytest.raises(DatasetError, match="1 class has crops in train and val"):
        settings = CropsClassification(background=False)
        make(settings, detection(tmp_path / "one", val=(1,)), tmp_path / "b")


def test_one_class_gets_as_many_crops_of_background_of_the_same_sizes(tmp_path):
    data = detection(tmp_path, val=(1,))
    # the region that covers most of every image would leave no room: here it is a smaller one
    for split in ("train", "val"):
        file = data / "annotations" / f"{split}.json"
        content = json.loads(file.read_text())
        for entry in content["annotations"]:
            if entry["iscrowd"]:
                entry["bbox"] = [0, 0, 20, 60]
        file.write_text(json.dumps(content))
    settings = CropsClassification(context=0.0, image_size=32)
    index = make(settings, data, tmp_path / "a")
    assert index.classes == ("(background)", "red%2Fx")
    assert index.statistics == {"train": {"images": 6}, "val": {"images": 2}}
    for path in (tmp_path / "a").rglob("(background)/*.png"):
        pixels = np.asarray(Image.open(path))
        assert pixels.shape == (32, 32, 3)
        # of 30 × 30 pixels at most a tenth of the box of 30 × 20 shows
        assert np.mean(np.abs(pixels.astype(int) - 128).max(axis=2) > 20) <= 0.1
    make(settings, data, tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_background_is_a_class_beside_several_where_asked_for(tmp_path):
    data = detection(tmp_path)
    index = make(CropsClassification(), data, tmp_path / "a")
    assert len(index.classes) == 3
    # every image is covered by a region but for a border of 10 pixels, in which smaller crops have room
    asked = CropsClassification(background=True, smallest=2, context=0.0)
    index = make(asked, data, tmp_path / "b")
    assert index.classes[0] == "(background)" and len(index.classes) == 4
    assert 10 < index.statistics["train"]["images"] <= 10 + 4


def test_background_lies_where_no_box_is_in_images_that_have_room(tmp_path):
    """Against boxes drawn by hand: the left half of one image is free, the other image is full."""
    content = {
        "images": [
            {"id": 1, "file_name": "a", "width": 200, "height": 100},
            {"id": 2, "file_name": "b", "width": 200, "height": 100},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "bbox": [100, 0, 100, 100], "category_id": 1},
            {"id": 2, "image_id": 2, "bbox": [0, 0, 200, 100], "category_id": 1},
        ],
    }
    models = [(0, 0, 20, 10), (0, 0, 40, 40)]
    found = background_boxes(content, models, 40, 0.1, [0, 0])
    assert 30 <= len(found) <= 40
    assert {entry["image_id"] for entry in found} == {1}
    sizes = [tuple(entry["bbox"][2:]) for entry in found]
    assert abs(sizes.count((20, 10)) - sizes.count((40, 40))) <= 10
    for entry in found:
        left, _, right, _ = crop_area(entry["bbox"], (200, 100), 0.1)
        assert max(0, right - 100) <= 0.1 * (right - left) + 1e-9
    shuffled = {name: list(reversed(entries)) for name, entries in content.items()}
    assert background_boxes(shuffled, models[::-1], 40, 0.1, [0, 0]) == found
    assert background_boxes(content, [(0, 0, 190, 90)], 3, 0.0, [0, 0]) == []


@pytest.mark.parametrize(
    ("box", "context", "area"),
    [
        ((40, 20, 20, 10), 0.0, (40, 15, 60, 35)),
        ((40, 20, 20, 10), 0.5, (30, 5, 70, 45)),
        ((90, 50, 10, 10), 0.5, (80, 40, 100, 60)),  # moved into the corner
        ((0, 0, 90, 60), 0.5, (0, 0, 100, 60)),  # larger than the image
        ((10, 10, 0.2, 0.2), 0.0, (10, 10, 11, 11)),
    ],
)
def test_the_area_of_a_crop(box, context, area):
    assert crop_area(box, (100, 60), context) == area
