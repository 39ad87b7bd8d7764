"""Every kind of defect is planted in a sound COCO dataset and must be found, alone and together."""

import copy
import json
from pathlib import Path
from typing import Any

import cv2
import pytest
from PIL import Image

from pipeline.config.data import CocoDetection
from pipeline.data.coco import check_coco, check_detection
from pipeline.data.defects import DatasetError, Defect, summarise

NAN = float("nan")


class Dataset:
    """A sound dataset of three images a split, to be spoilt."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.splits = {split: self._sound() for split in ("train", "val")}
        for split in self.splits:
            (folder / split).mkdir(parents=True)
            for number in range(3):
                image = Image.effect_noise((40 + number, 30), 50).convert("RGB")
                image.save(self.image(split, number))

    @staticmethod
    def _sound() -> dict[str, list[Any]]:
        return {
            "images": [
                {"id": i, "file_name": f"{i}.jpg", "width": 40 + i, "height": 30} for i in range(3)
            ],
            "annotations": [
                {
                    "id": 10 + i,
                    "image_id": i // 2,
                    "category_id": 3 + i % 2,
                    "bbox": [1 + i, 2.5, 10, 20],
                    "area": 200,
                }
                for i in range(4)
            ],
            "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
        }

    def image(self, split: str, number: int) -> Path:
        return self.folder / split / f"{number}.jpg"

    def file(self, split: str) -> Path:
        return self.folder / f"{split}.json"

    def write(self) -> None:
        for split, content in self.splits.items():
            self.file(split).write_text(json.dumps(content))

    def config(self, **further: Any) -> CocoDetection:
        paths = {
            split: {"annotations": str(self.file(split)), "images": str(self.folder / split)}
            for split in self.splits
        }
        return CocoDetection.model_validate({**paths, **further})


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    return Dataset(tmp_path)


def edit(section: str, position: int, **values: Any):
    return lambda content: content[section][position].update(values)


def drop(section: str, position: int, key: str):
    return lambda content: content[section][position].pop(key)


def repeat(section: str):
    return lambda content: content[section].append(copy.deepcopy(content[section][0]))


# (what is done to the content of train.json, kind of the defect, what its line must name)
SPOILT = {
    "nan box": (edit("annotations", 1, bbox=[1, NAN, 2, 2]), "malformed box", "annotation 11"),
    "inf box": (edit("annotations", 1, bbox=[1, 1e999, 2, 2]), "malformed box", "annotation 11"),
    "huge box": (edit("annotations", 1, bbox=[1, 10**400, 2, 2]), "malformed box", "annotation 11"),
    "negative": (edit("annotations", 2, bbox=[9, 9, -4, 5]), "malformed box", "annotation 12"),
    "three numbers": (edit("annotations", 2, bbox=[9, 9, 4]), "malformed box", "annotation 12"),
    "no box": (drop("annotations", 2, "bbox"), "malformed box", "annotation 12"),
    "text area": (edit("annotations", 2, area="200"), "malformed box", "its area is '200'"),
    "thin box": (edit("annotations", 0, bbox=[5, 5, 9, 0.5]), "box smaller than a pixel", "0.5"),
    "beside": (edit("annotations", 0, bbox=[-1, 5, 1, 9]), "box outside its image", "inside"),
    "ignored": (edit("annotations", 0, ignore="yes"), "malformed entry", "ignore is 'yes'"),
    "surrogate": (edit("images", 2, file_name="\ud800.jpg"), "malformed entry", "surrogate"),
    "zero": (edit("images", 2, file_name="a\0.jpg"), "malformed entry", "zero character"),
    "nan area": (edit("annotations", 2, area=NAN), "malformed box", "annotation 12"),
    "empty box": (edit("annotations", 0, bbox=[5, 5, 0, 4]), "box without area", "annotation 10"),
    "left": (edit("annotations", 0, bbox=[-2, 0, 9, 9]), "box outside its image", "2 pixels out"),
    "right": (edit("annotations", 0, bbox=[36, 0, 6, 9]), "box outside its image", "0.jpg"),
    "below": (edit("annotations", 0, bbox=[0, 25, 6, 7]), "box outside its image", "image 0"),
    "category": (edit("annotations", 3, category_id=9), "unknown category id", "category_id is 9"),
    "image": (edit("annotations", 3, image_id=77), "unknown image id", "image_id is 77"),
    "crowd": (edit("annotations", 3, iscrowd="no"), "malformed entry", "annotation 13"),
    "two images": (repeat("images"), "duplicate image id", "image 0"),
    "two boxes": (repeat("annotations"), "duplicate annotation id", "annotation 10"),
    "text id": (edit("annotations", 0, id="x"), "malformed entry", "annotation number 0"),
    "no width": (drop("images", 2, "width"), "malformed entry", "image 2"),
    "no name": (edit("images", 2, file_name=""), "malformed entry", "image 2"),
    "no object": (lambda content: content["images"].append(7), "malformed entry", "number 3"),
    "stated size": (edit("images", 1, height=31), "image size", "41 x 30"),
    "absent": (edit("images", 2, file_name="gone.jpg"), "missing image", "gone.jpg, image 2"),
    "no images": (lambda content: content.update(images=[]), "empty split", "no images"),
    "no boxes": (lambda content: content.update(annotations=[]), "empty split", "no annotations"),
}


def test_a_sound_dataset_passes_and_is_counted(dataset):
    dataset.splits["train"]["annotations"][0] |= {"iscrowd": 1, "segmentation": {"counts": "x"}}
    dataset.splits["train"]["annotations"][1] |= {"iscrowd": 0, "segmentation": [[1, 2, 3, 4, 5]]}
    # Rounding and counting from one: up to a pixel beyond the border is no defect.
    dataset.splits["train"]["annotations"][2]["bbox"] = [-1, -1, 43, 32]
    dataset.write()
    summaries = check_detection(dataset.config(classes=["dog", "cat"]))
    assert summaries["val"].statistics() == {
        "images": 3,
        "with_boxes": 2,
        "median_width": 41,
        "median_height": 30,
        "objects": 4,
        "small": 4,
        "medium": 0,
        "large": 0,
    }
    assert summaries["train"].statistics()["objects"] == 3
    assert summaries["train"].categories == [(3, "cat"), (4, "dog")]


@pytest.mark.parametrize("name", SPOILT)
def test_each_defect_is_found_and_nothing_else_is_blamed(dataset, name):
    spoil, kind, mention = SPOILT[name]
    spoil(dataset.splits["train"])
    dataset.write()
    defects = check_coco(dataset.file("train"), dataset.folder / "train", "train")
    assert kind in {defect.kind for defect in defects}
    assert any(mention in str(defect) for defect in defects)
    # An image that is not listed makes its annotations point nowhere; all else is one defect.
    assert len(defects) == 1 or name == "no images"


def test_everything_is_reported_in_one_message(dataset):
    spoils = {
        "train": ["nan box", "negative", "empty box", "category", "absent"],
        "val": ["two images", "image", "stated size"],
    }
    for split, names in spoils.items():
        for name in names:
            SPOILT[name][0](dataset.splits[split])
    dataset.splits["val"]["categories"].reverse()
    dataset.image("train", 1).write_bytes(dataset.image("train", 1).read_bytes()[:-200])
    dataset.write()
    with pytest.raises(DatasetError) as caught:
        check_detection(dataset.config(classes=["cat", "cow"]))
    message = str(caught.value)
    for split, names in spoils.items():
        for name in names:
            _, kind, mention = SPOILT[name]
            assert kind in message
            assert any(f"[{split}]" in line and mention in line for line in message.splitlines())
    for kind in ("unreadable image (1)", "categories differ (1)", "classes (1)"):
        assert kind in message
    assert "lacks cow; it also has dog" in message
    assert len(caught.value.defects) == 11
    assert message.startswith("The dataset has 11 defects.")


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        (None, "no such file"),
        ("", "ends early"),
        ('{"images": [{"id": 1', "ends early"),
        ('{"images": "a', "ends early"),
        ("{'images': []}", "is not JSON"),
        ("[]", "a list, no object"),
        ('{"images": [], "annotations": {}}', "no list annotations and no list categories"),
        (b"\xff\xfe\x00", "is not"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_a_file_that_is_not_coco_is_one_defect(dataset, text, mention):
    dataset.write()
    file = dataset.file("train")
    if text is None:
        file.unlink()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    (defect,) = check_coco(file, dataset.folder / "train", "train")
    assert defect.kind == "annotation file"
    assert str(file) in str(defect) and mention in str(defect)
    with pytest.raises(DatasetError, match=r"1 defect\."):
        check_detection(dataset.config())


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("kind", ["jpg", "progressive jpg", "png"])
def test_truncated_images_are_found_by_decoding(dataset, kind, share):
    file = dataset.folder / "train" / f"2.{kind.split()[-1]}"
    dataset.splits["train"]["images"][2] |= {"file_name": file.name, "width": 90, "height": 70}
    image = Image.effect_noise((90, 70), 50).convert("RGB")
    image.save(file, progressive=kind.startswith("progressive"))
    whole = file.read_bytes()
    dataset.write()
    assert not check_coco(dataset.file("train"), file.parent, "train")
    file.write_bytes(whole[: int(len(whole) * share)])
    (defect,) = check_coco(dataset.file("train"), file.parent, "train")
    assert (defect.kind, defect.file) == ("unreadable image", file)
    header_only = check_coco(dataset.file("train"), file.parent, "train", "header")
    assert len(header_only) == (1 if share == 0.02 and kind != "png" else 0)


@pytest.mark.parametrize("verify", ["decode", "header"])
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_exif_rotation_counts_in_an_images_size(dataset, kind, verify):
    """OpenCV, which mmdet reads images with, is the truth."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = dataset.folder / "train" / f"0.{kind}"
    Image.new("RGB", (30, 40)).save(file, exif=exif)
    height, width = cv2.imread(str(file)).shape[:2]
    dataset.splits["train"]["images"][0] |= {
        "file_name": file.name,
        "width": width,
        "height": height,
    }
    dataset.write()
    assert (width, height) == (40, 30)
    assert not check_coco(dataset.file("train"), file.parent, "train", verify)


def test_a_missing_image_folder_is_one_defect(dataset):
    dataset.write()
    (defect,) = check_coco(dataset.file("train"), dataset.folder / "nowhere", "train")
    assert defect.kind == "image folder" and "nowhere" in str(defect)


def test_duplicate_categories(dataset):
    categories = dataset.splits["train"]["categories"]
    categories += [{"id": 4, "name": "cow"}, {"id": 5, "name": "cat"}]
    dataset.write()
    found = check_coco(dataset.file("train"), dataset.folder / "train", "train")
    assert [d.kind for d in found] == ["duplicate category id", "duplicate category name"]
    assert "category 4" in str(found[0]) and "of category 3" in str(found[1])


@pytest.mark.parametrize("change", ["order", "name", "id", "further"])
def test_categories_must_agree_between_splits(dataset, change):
    """Labels follow the file's order (mmdet's CocoDataset), so another order is another labelling."""
    categories = dataset.splits["val"]["categories"]
    if change == "order":
        categories.reverse()
    elif change == "name":
        categories[0]["name"] = "lion"
    elif change == "id":
        categories[0]["id"] = 8
        for annotation in dataset.splits["val"]["annotations"]:
            annotation["category_id"] = {3: 8, 4: 4}[annotation["category_id"]]
    else:
        categories.append({"id": 6, "name": "cow"})
    dataset.write()
    with pytest.raises(DatasetError) as caught:
        check_detection(dataset.config())
    assert "categories differ" in {defect.kind for defect in caught.value.defects}


def test_a_class_without_training_objects(dataset):
    for annotation in dataset.splits["train"]["annotations"]:
        annotation["category_id"] = 3
    dataset.write()
    with pytest.raises(DatasetError, match=r"category 4 \(dog\): has 2 objects here and none in"):
        check_detection(dataset.config())


def test_an_image_of_train_in_another_split_is_told(dataset):
    """By where it lies, whatever folders the two splits name; the same name elsewhere is another image."""
    edit("images", 2, file_name="../val/2.jpg")(dataset.splits["train"])
    dataset.write()
    with pytest.raises(
        DatasetError, match=r"1 of its 3 images are in train, too: 2\.jpg"
    ) as caught:
        check_detection(dataset.config())
    assert {defect.kind for defect in caught.value.defects} == {"images in two splits"}
    (defect,) = caught.value.defects
    assert (defect.split, defect.file) == ("train/val", dataset.file("val"))


def test_a_tolerated_share_of_boxes_passes_and_is_logged(dataset, caplog):
    SPOILT["empty box"][0](dataset.splits["train"])
    dataset.write()
    with pytest.raises(DatasetError):
        check_detection(dataset.config(tolerated_boxes=0.2))
    check_detection(dataset.config(tolerated_boxes=0.25))
    assert "annotation 10" in caplog.text
    SPOILT["negative"][0](dataset.splits["train"])
    dataset.write()
    with pytest.raises(DatasetError, match="negative extent"):
        check_detection(dataset.config(tolerated_boxes=1.0))


def test_images_that_lie_outside_of_their_folder_are_told(dataset, caplog):
    other = dataset.folder / "elsewhere.jpg"
    dataset.image("train", 1).rename(other)
    dataset.image("train", 1).symlink_to(other)
    further = Image.new("RGB", (42, 30))
    further.save(dataset.folder / "further.jpg")
    edit("images", 2, file_name="../further.jpg")(dataset.splits["train"])
    dataset.write()
    check_detection(dataset.config())
    told = f"2 images of train lie outside of {dataset.folder}/train, by links or names"
    assert f"{told}: the first is {dataset.image('train', 1)}" in caplog.text
    assert "images of val lie" not in caplog.text


def test_long_lists_are_cut_but_counted():
    defects = [Defect("a", "train", Path("f"), f"annotation {i}", "x") for i in range(322)]
    text = summarise([*defects, Defect("b", "val", Path("g"), "", "y")])
    assert "The dataset has 323 defects." in text
    assert "a (322):" in text and "... and 312 more" in text
    assert "annotation 9:" in text and "annotation 10:" not in text
    assert text.endswith("b (1):\n  [val] g: y")
