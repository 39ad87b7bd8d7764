"""The embedded datasets, compared with each other and with pycocotools."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO
from sklearn.datasets import load_digits

from pipeline.config.data import EmbeddedClassification, EmbeddedDetection
from pipeline.data.coco import check_coco
from pipeline.data.embedded import write_classification, write_detection
from pipeline.data.embedded_sources import CLASSES, PHOTOGRAPHS, digit, digit_indices, photograph
from pipeline.data.image_folder import check_image_folder
from pipeline.data.shapes import digit_stencil

SMALL = EmbeddedDetection(train_images=60, val_images=40)
CROPS = EmbeddedClassification(train_images_per_class=4, val_images_per_class=2, image_size=48)


@pytest.fixture(scope="module")
def detection(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("detection")
    write_detection(SMALL, folder)
    return folder


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("backgrounds")
    write_detection(SMALL, folder, background_only=True)
    return folder


@pytest.fixture(scope="module")
def classification(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("classification")
    write_classification(CROPS, folder)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def content(folder: Path, split: str) -> dict:
    return json.loads((folder / "annotations" / f"{split}.json").read_text())


def pixels(folder: Path, split: str, name: str) -> np.ndarray:
    with Image.open(folder / "images" / split / name) as image:
        return np.asarray(image).astype(int)


def test_same_settings_give_the_same_bytes(tmp_path, classification):
    few = EmbeddedDetection(train_images=10, val_images=5)
    runs = []
    for name, config in (("a", few), ("b", few), ("c", few.model_copy(update={"seed": 1}))):
        (tmp_path / name).mkdir()
        write_detection(config, tmp_path / name)
        runs.append(digests(tmp_path / name))
    assert runs[0] == runs[1]
    assert len(runs[0]) == 17
    assert not set(runs[0].values()) & set(runs[2].values())
    (tmp_path / "crops").mkdir()
    write_classification(CROPS, tmp_path / "crops")
    assert digests(tmp_path / "crops") == digests(classification)


def test_more_images_leave_the_earlier_ones_as_they_were(tmp_path, detection):
    write_detection(SMALL.model_copy(update={"train_images": 12, "val_images": 3}), tmp_path)
    all_images = digests(detection)
    for name, digest in digests(tmp_path / "images").items():
        assert all_images[f"images/{name}"] == digest


def test_digits_and_photographs_of_val_are_never_in_train(detection, classification):
    seen: dict[str, dict[str, set]] = {}
    for split in ("train", "val"):
        data = content(detection, split)
        crops = [path.stem.split("_") for path in (classification / split).rglob("*.png")]
        seen[split] = {
            "digit": {a["digit"] for a in data["annotations"]}
            | {int(name.removeprefix("digit")) for _, name, _ in crops},
            "photo": {i["photo"] for i in data["images"]} | {photo for *_, photo in crops},
        }
        assert len(seen[split]["photo"]) >= 5
        labels = load_digits(return_X_y=True)[1]
        assert all(labels[a["digit"]] == a["category_id"] - 1 for a in data["annotations"])
    for source in ("digit", "photo"):
        assert not seen["train"][source] & seen["val"][source]


def test_the_division_covers_every_digit_once_and_every_class_evenly():
    parts = {s: [digit_indices(s, k) for k in range(10)] for s in ("train", "val")}
    every = [index for split in parts.values() for part in split for index in part]
    assert sorted(every) == list(range(1797))
    for train, val in zip(parts["train"], parts["val"], strict=True):
        assert len(train) / (len(train) + len(val)) == pytest.approx(0.75, abs=0.01)


def test_photographs_need_no_download(monkeypatch):
    import socket

    def refuse(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    photograph.cache_clear()
    fingerprints = {
        hashlib.sha256(photograph(split, name).tobytes()).hexdigest()
        for split, names in PHOTOGRAPHS.items()
        for name in names
    }
    assert len(fingerprints) == sum(map(len, PHOTOGRAPHS.values()))


def test_boxes_are_the_extent_of_what_was_pasted(detection, backgrounds):
    """The truth is the difference between an image with its digits and the one without."""
    for split in ("train", "val"):
        data = content(detection, split)
        assert data == content(backgrounds, split)
        loose = []
        for image in data["images"]:
            name = image["file_name"]
            changed = (pixels(detection, split, name) != pixels(backgrounds, split, name)).any(2)
            boxes = [a["bbox"] for a in data["annotations"] if a["image_id"] == image["id"]]
            outside = changed.copy()
            for x, y, width, height in boxes:
                assert x >= 0 and y >= 0 and x + width <= 128 and y + height <= 128
                outside[y : y + height, x : x + width] = False
                inside = changed[y : y + height, x : x + width]
                rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
                loose += [rows[0], columns[0], height - 1 - rows[-1], width - 1 - columns[-1]]
            assert not outside.any(), name
        # A faint border pixel may happen to have the colour behind it, and only that.
        assert max(loose) <= 1
        assert np.mean(loose) < 0.02


def test_digits_stand_out_from_what_is_behind_them(detection, backgrounds):
    luma = np.array([0.299, 0.587, 0.114])
    for split in ("train", "val"):
        data = content(detection, split)
        names = {image["id"]: image["file_name"] for image in data["images"]}
        for a in data["annotations"]:
            x, y, width, height = a["bbox"]
            region = np.s_[y : y + height, x : x + width]
            ink = pixels(detection, split, names[a["image_id"]])[region] @ luma
            behind = pixels(backgrounds, split, names[a["image_id"]])[region] @ luma
            change = np.abs(ink - behind)
            # Opacity 0.85 of a contrast of 0.3, on average over the strokes' middles.
            assert change[change > change.max() / 3].mean() > 40, a


@given(
    index=st.integers(0, 1796),
    size=st.floats(8, 112),
    degrees=st.floats(-180, 180),
    limit=st.sampled_from([64, 128]),
)
@settings(max_examples=60, deadline=None)
def test_a_stencil_has_the_wanted_size_and_is_tight(index, size, degrees, limit):
    stencil = digit_stencil(digit(index), size, degrees, limit)
    assert max(stencil.shape) <= limit
    assert stencil.min() >= 0 and stencil.max() <= 1
    for edge in (stencil[0], stencil[-1], stencil[:, 0], stencil[:, -1]):
        assert edge.max() > 0.1
    if max(stencil.shape) < limit - 6:
        assert np.sqrt(stencil.size) == pytest.approx(size, abs=3)


def test_rotation_turns_about_the_middle_and_cuts_nothing_off():
    """A quarter turn of the scan is a quarter turn of the strokes, counter-clockwise."""
    for index in (0, 7, 100):
        upright = digit_stencil(digit(index), 40, 0, 128)
        turned = digit_stencil(digit(index), 40, 90, 128)
        np.testing.assert_allclose(np.rot90(upright), turned, atol=1e-4)


@pytest.mark.parametrize("split", ["train", "val"])
def test_pycocotools_reads_it_and_every_class_and_size_occurs(detection, split, capsys):
    coco = COCO(str(detection / "annotations" / f"{split}.json"))
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(CLASSES)
    for category in coco.getCatIds():
        assert coco.getAnnIds(catIds=[category])
    for low, high in ((0, 32**2), (32**2, 96**2), (96**2, 1e9)):
        assert coco.getAnnIds(areaRng=[low, high])
    counts = [len(coco.getAnnIds(imgIds=[i])) for i in coco.getImgIds()]
    assert set(counts) == {1, 2, 3, 4}
    assert not check_coco(
        detection / "annotations" / f"{split}.json", detection / "images" / split, split
    )


def test_classes_are_balanced_and_boxes_hardly_overlap(detection):
    data = content(detection, "train")
    counts = np.bincount([a["category_id"] for a in data["annotations"]])[1:]
    assert np.ptp(counts) <= 1
    for first in data["annotations"]:
        for second in data["annotations"]:
            if first["image_id"] == second["image_id"] and first["id"] < second["id"]:
                (ax, ay, aw, ah), (bx, by, bw, bh) = first["bbox"], second["bbox"]
                width = max(0, min(ax + aw, bx + bw) - max(ax, bx))
                height = max(0, min(ay + ah, by + bh) - max(ay, by))
                assert width * height <= 0.15 * min(aw * ah, bw * bh)


def test_crops_are_a_sound_image_folder(classification):
    for split, count in (("train", 4), ("val", 2)):
        assert not check_image_folder(classification / split, split)
        for name in CLASSES:
            paths = list((classification / split / name).iterdir())
            assert len(paths) == count
            assert all(Image.open(path).size == (48, 48) for path in paths)


def test_the_hardest_settings_allowed_still_find_room(tmp_path):
    write_detection(
        EmbeddedDetection(
            image_size=64,
            train_images=10,
            val_images=1,
            objects_per_image=(19, 19),
            object_size=(8, 64),
            rotation_degrees=180,
        ),
        tmp_path,
    )
    assert len(content(tmp_path, "val")["annotations"]) == 19
