"""Odd inputs that are trained on: each passes the check, and is what it means in the normal form.

Of every one pycocotools, hotcoco and a training's dataset find as many objects as the user's file holds.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from bad_input_own_rows import (
    PHOTO,
    PIXELS,
    SIDEWAYS,
    as_text,
    encoded,
    every_box,
    image,
    instead,
)
from bad_input_row import DETECTION, Spoil, edit
from bad_input_world import RUN, SPLITS, World
from hotcoco import COCO
from PIL import Image
from pycocotools.coco import COCO as Reference

from pipeline.config.detector import DetectorConfig
from pipeline.data.images import load_image
from pipeline.data.index import DatasetIndex
from pipeline.detection.dataset import build_dataset

PNG16 = cv2.imencode(".png", PIXELS[:, :, 0].astype(np.uint16) * 257)[1].tobytes()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.sound(tmp_path_factory.mktemp("sound"))


def accepted(world: World) -> None:
    """The stage takes the data, and all that reads them afterwards finds the objects of the user's files."""
    outcome = world.attempt(DETECTION)
    assert (outcome.code, outcome.errors) == (0, [])
    with contextlib.chdir(world.folder):
        index = DatasetIndex.load(RUN / "data/detection/dataset.json")
        for split in SPLITS:
            content = json.loads(world.annotations(split).read_bytes())
            own = [
                entry
                for entry in content["annotations"]
                if not entry.get("iscrowd") and not entry.get("ignore")
            ]
            paths = index.split(split)
            with contextlib.redirect_stdout(io.StringIO()):
                reference, ours = Reference(str(paths.annotations)), COCO(str(paths.annotations))
                dataset = build_dataset(paths, list(index.classes), DetectorConfig(), train=True)
            trained = [dataset[n]["data_samples"].gt_instances.labels for n in range(len(dataset))]
            for category in content["categories"]:
                (number,) = reference.getCatIds(catNms=[category["name"]])
                label = index.classes.index(category["name"])
                found = (
                    len(reference.getAnnIds(catIds=[number], iscrowd=False)),
                    len(ours.get_ann_ids(cat_ids=[number], iscrowd=False)),
                    sum(int((labels == label).sum()) for labels in trained),
                )
                count = sum(entry["category_id"] == category["id"] for entry in own)
                assert found == (count, count, count), (split, category["name"])


def head(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Change the whole content of the annotations of train."""
    return lambda world: world.edit("train", change)


def roboflow(content: dict[str, Any]) -> None:
    content["info"] = {"year": "2024", "version": "1", "date_created": "2024-05-01T10:00:00+00:00"}
    content["licenses"] = [{"id": 1, "url": "", "name": "Private"}]
    for entry in content["images"]:
        entry.update(license=1, date_captured="2024-05-01T10:00:00+00:00")
    for entry in content["annotations"]:
        entry["segmentation"] = []


def cvat(content: dict[str, Any]) -> None:
    content["info"] = {"contributor": "", "version": "", "year": ""}
    content["licenses"] = [{"name": "", "id": 0, "url": ""}]
    for entry in content["images"]:
        entry.update(license=0, flickr_url="", coco_url="", date_captured=0)
    for entry in content["annotations"]:
        entry.update(segmentation=[], attributes={"occluded": False, "rotation": 0.0})


def flat(entry: dict[str, Any]) -> None:
    x, y, width, height = entry["bbox"]
    entry["segmentation"] = [x, y, x + width, y, x + width, y + height, x, y + height]


HEADS = {
    "Roboflow's export": head(roboflow),
    "CVAT's export": head(cvat),
    "detectron2's licences": head(lambda content: content.update(licenses=None, info={})),
    "a version that is a number": head(lambda content: content.update(info={"version": 1.0})),
    "dates that are no number": head(
        lambda content: [entry.update(date_captured=math.nan) for entry in content["images"]]
    ),
    "an info that is a text": head(lambda content: content.update(info="mine", licenses="none")),
    "supercategories that are null": head(
        lambda content: [entry.update(supercategory=None) for entry in content["categories"]]
    ),
    "a flat segmentation": every_box(flat),
    "a segmentation of runs": every_box(
        lambda entry: entry.update(segmentation={"counts": [1, 2], "size": [40, 32]})
    ),
    "a segmentation of null": every_box(lambda entry: entry.update(segmentation=None)),
    "areas of zero": every_box(lambda entry: entry.update(area=0)),
    "areas of null": every_box(lambda entry: entry.update(area=None)),
    "no areas": every_box(lambda entry: entry.pop("area")),
    "crowds of null": every_box(lambda entry: entry.update(iscrowd=None)),
    "no crowds": every_box(lambda entry: entry.pop("iscrowd")),
    "truth values": every_box(lambda entry: entry.update(iscrowd=False, ignore=False)),
    "widths with a point": edit("train", "images", 0, width=40.0),
}


@pytest.mark.parametrize("name", HEADS)
def test_what_is_not_used_changes_no_byte_of_what_is_read(name: str, sound: World, tmp_path):
    world = sound.copy(tmp_path / "mine")
    before = {path: digest for path, digest in world.snapshot().items() if "annotations" in path}
    HEADS[name](world)
    accepted(world)
    assert len(before) == 3
    assert world.snapshot().items() >= before.items()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_annotations_are_read_in_every_unicode_encoding(encoding: str, sound: World, tmp_path):
    world = sound.copy(tmp_path / "mine")
    as_text(encoding)(world)
    accepted(world)
    index = json.loads((world.folder / RUN / "data/detection/dataset.json").read_text())
    assert index["classes"] == ["cat", "Hündin"]


def test_ignored_objects_are_regions_and_counted_as_such(sound: World, tmp_path):
    world = sound.copy(tmp_path / "mine")
    edit("train", "annotations", 0, ignore=1)(world)
    accepted(world)
    folder = world.folder / RUN / "data/detection"
    assert json.loads((folder / "dataset.json").read_text())["statistics"]["train"]["objects"] == 3
    first = json.loads((folder / "annotations/train.json").read_text())["annotations"][0]
    assert first["iscrowd"] == 1


IMAGES = {
    "GIF named .png": (image(encoded(PHOTO, "GIF")), None),
    "BMP": (image(encoded(PHOTO, "BMP"), "1.bmp"), PIXELS),
    "WebP": (image(encoded(PHOTO, "WEBP", lossless=True), "1.webp"), PIXELS),
    "TIFF": (image(encoded(PHOTO, "TIFF"), "1.tif"), PIXELS),
    "16-bit grey": (image(PNG16), np.repeat(PIXELS[:, :, :1], 3, 2)),
    "alpha": (image(encoded(PHOTO.convert("RGBA"), "PNG")), PIXELS),
    "palette": (image(encoded(PHOTO.convert("P"), "PNG")), None),
    "CMYK": (image(encoded(PHOTO.convert("CMYK"), "JPEG", quality=95), "1.jpg"), None),
    "WebP that is turned": (
        image(
            encoded(
                Image.fromarray(np.rot90(PIXELS)), "WEBP", lossless=True, exif=SIDEWAYS.tobytes()
            ),
            "1.webp",
        ),
        PIXELS,
    ),
    "link to another folder": (
        instead(lambda path: path.symlink_to(path.parents[1] / "val/1.png")),
        None,
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_of_many_kinds_are_trained_on(name: str, sound: World, tmp_path, caplog):
    world = sound.copy(tmp_path / "mine")
    spoil, pixels = IMAGES[name]
    spoil(world)
    accepted(world)
    folder = world.folder / RUN / "data/detection"
    entry = json.loads((folder / "annotations/train.json").read_text())["images"][1]
    found = load_image(world.folder / "data/train" / entry["file_name"])
    assert found.shape == (entry["height"], entry["width"], 3)
    if pixels is not None:
        assert np.array_equal(found, pixels)
