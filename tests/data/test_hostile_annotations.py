"""Annotation files whose names are no text, or whose values are of any length."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.coco import check_coco
from pipeline.data.image_folder import check_image_folder

BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "area": 16}
IMAGE = {"id": 1, "file_name": "a.png", "width": 8, "height": 8}


def _defects(folder: Path, **changed: Any) -> list[str]:
    content = {"images": [IMAGE], "annotations": [BOX], "categories": [{"id": 1, "name": "cat"}]}
    (folder / "a.json").write_text(json.dumps(content | changed))
    return [str(each) for each in check_coco(folder / "a.json", folder, "train")]


def test_half_of_a_surrogate_pair_is_refused_by_name(tmp_path: Path) -> None:
    found = _defects(tmp_path, categories=[{"id": 7, "name": "cat\ud800"}])
    assert any(
        "category 7: its name is 'cat\\ud800', which holds half a character" in each
        for each in found
    )
    found = _defects(tmp_path, images=[IMAGE | {"file_name": "\udfff.png"}])
    assert any(
        "image 1: its file_name is '\\udfff.png', which holds half" in each for each in found
    )
    found = _defects(tmp_path, images=[IMAGE | {"file_name": "a\0.png"}])
    assert any(
        "its file_name is 'a\\x00.png', which holds a zero character" in each for each in found
    )
    assert all("\ud800" not in each for each in found)


def test_a_pair_is_a_character_like_any_other(tmp_path: Path) -> None:
    found = _defects(tmp_path, categories=[{"id": 1, "name": "\U0001f600 \x07 <b>"}])
    assert found == [f"[train] {tmp_path}/a.png, image 1: there is no such file"]


@pytest.mark.parametrize("key", ["bbox", "image_id", "category_id", "iscrowd", "area", "id"])
def test_a_long_value_is_shortened(tmp_path: Path, key: str) -> None:
    for value in ([1.5] * 100_000, "9" * 100_000):
        found = _defects(tmp_path, annotations=[BOX | {key: value}])
        assert any(str(len(repr(value))) + " characters" in each for each in found)
        assert all(len(each) < 700 for each in found)


def test_a_deep_value_is_a_defect(tmp_path: Path) -> None:
    for depth in (100, 900, 960, 990):
        text = json.dumps({"images": [IMAGE], "categories": [{"id": 1, "name": "cat"}]})
        deep = "[" * depth + "]" * depth
        box = json.dumps(BOX).replace("[0, 0, 4, 4]", deep)
        (tmp_path / "a.json").write_text(text[:-1] + f', "annotations": [{box}]}}')
        assert check_coco(tmp_path / "a.json", tmp_path, "train")


def test_a_class_folder_whose_name_is_no_utf8_is_refused(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/train/\xff")).mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = check_image_folder(tmp_path / "train", "train")
    assert [each.kind for each in found] == ["class name"]
    assert "'\\udcff'" in str(found[0]) and str(found[0]).encode()
