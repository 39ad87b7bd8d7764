"""A list of images without annotations: what is taken, and what is refused by name."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pipeline.data.defects import DatasetError
from pipeline.data.image_list import read_image_list

CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]


def _write(folder: Path, content: object) -> tuple[Path, Path, Path]:
    train, listed, images = folder / "train.json", folder / "info.json", folder / "images"
    train.write_text(json.dumps({"images": [], "annotations": [], "categories": CATEGORIES}))
    listed.write_text(json.dumps(content))
    images.mkdir(exist_ok=True)
    Image.new("RGB", (8, 6)).save(images / "a.png")
    return listed, images, train


def _entry(number: int, **changed: object) -> dict[str, object]:
    return {"id": number, "file_name": "a.png", "width": 8, "height": 6} | changed


def test_images_get_the_training_split_s_categories(tmp_path: Path) -> None:
    found = read_image_list(*_write(tmp_path, {"info": {}, "images": [_entry(5), _entry(2)]}))
    assert found.images == {5: ("a.png", 8, 6), 2: ("a.png", 8, 6)}
    assert found.categories == [(3, "cat"), (7, "dog")] and found.annotations == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "has no list of images"),
        ({"images": []}, "has no list of images"),
        ({"images": [_entry(1), _entry(1)]}, "an earlier one has its id"),
        ({"images": [_entry(1, width="8")]}, "image number 0"),
        ({"images": [_entry(1, file_name="b.png")]}, "there is no such file"),
        ({"images": [_entry(1, height=7)]}, "is 8 x 6"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read_image_list(*_write(tmp_path, content))


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    listed, images, train = _write(tmp_path, {})
    listed.write_text("{")
    with pytest.raises(DatasetError, match="cannot be read as JSON"):
        read_image_list(listed, images, train)
