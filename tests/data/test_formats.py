"""YOLO and Pascal VOC: the same boxes as in COCO's format, every defect with its file and line."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts.annotation_version import annotation_version
from pipeline.artifacts.label_folder import read_class_names
from pipeline.config.own_detection import CocoDetection, OwnDetection, VocDetection, YoloDetection
from pipeline.data.coco import check_detection
from pipeline.data.coco_summary import CocoSummary
from pipeline.data.defects import DatasetError

NAMES = ("cat", "dog")
# image, class, left, upper, width, height: whole pixels, which all three formats can say
BOXES = (
    ("a.jpg", 0, 3, 4, 20, 11),
    ("a.jpg", 1, 0, 0, 60, 40),
    ("deep/b.PNG", 1, 59, 39, 1, 1),
    ("d.png", 0, 10, 10, 5, 5),
)
IMAGES = ("a.jpg", "c.png", "d.png", "deep/b.PNG")
WIDTH, HEIGHT = 60, 40


def write(root: Path, kind: str) -> OwnDetection:
    """The same dataset in a format; images in a folder of their own, those of VOC have no deeper one."""
    images, labels = root / "images", root / ("labels" if kind == "yolo" else "Annotations")
    for name in IMAGES:
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(images / name)
    content = {
        "images": [
            {"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT}
            for n, name in enumerate(IMAGES, 1)
        ],
        "annotations": [
            {"id": n, "image_id": IMAGES.index(name) + 1, "category_id": label + 1, "bbox": box}
            for n, (name, label, *box) in enumerate(BOXES, 1)
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(NAMES, 1)],
    }
    (root / "all.json").write_text(json.dumps(content))
    for name in IMAGES:
        (labels / name).parent.mkdir(parents=True, exist_ok=True)
        mine = [entry[1:] for entry in BOXES if entry[0] == name]
        if kind == "yolo" and mine:  # c.png has no label file
            lines = [
                f"{label} {(x + w / 2) / WIDTH:.6f} {(y + h / 2) / HEIGHT:.6f} "
                f"{w / WIDTH:.6f} {h / HEIGHT:.6f}"
                for label, x, y, w, h in mine
            ]
            (labels / name).with_suffix(".txt").write_text("\n".join(lines) + "\n\n")
        if kind == "voc":
            (labels / name).with_suffix(".xml").write_text(_xml(name, mine))
    (root / "data.yaml").write_text(f"path: ../x\ntrain: images\nnc: 2\nnames: {list(NAMES)}\n")
    common = {"train": {"images": str(images)}, "split": {"val": 0.5, "seed": 1}}
    if kind == "coco":
        common["train"]["annotations"] = str(root / "all.json")
        return CocoDetection.model_validate(common)
    common["train"]["annotations"] = str(labels)
    if kind == "yolo":
        return YoloDetection.model_validate({**common, "names": str(root / "data.yaml")})
    return VocDetection.model_validate(common)


def _xml(name: str, boxes: list[Any]) -> str:
    objects = "\n".join(
        f"<object>\n<name>{NAMES[label]}</name><part><bndbox><xmin>1</xmin></bndbox></part>"
        f"<difficult>0</difficult><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
        f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
        for label, x, y, w, h in boxes
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    return f"<annotation>\n<filename>{name}</filename>{size}\n{objects}\n</annotation>"


def told(summary: CocoSummary) -> set[tuple[Any, ...]]:
    """Image, class and box of every annotation, and the images without one."""
    names = dict(summary.categories)
    boxes = {
        (summary.images[each["image_id"]], names[each["category_id"]], *each["bbox"], each["area"])
        for each in summary.annotations
    }
    return boxes | {(image,) for image in summary.images.values()}


@pytest.mark.parametrize("kind", ["coco", "yolo", "voc"])
def test_the_same_data_give_the_same_splits_in_any_format(tmp_path: Path, kind: str) -> None:
    found = check_detection(write(tmp_path, kind))
    assert list(found) == ["train", "val"]
    assert [name for _, name in found["train"].categories] == list(NAMES)
    everything = {
        ((name, WIDTH, HEIGHT), NAMES[label], x, y, w, h, w * h)
        for name, label, x, y, w, h in BOXES
    } | {((name, WIDTH, HEIGHT),) for name in IMAGES}
    assert told(found["train"]) | told(found["val"]) == everything
    assert not told(found["train"]) & told(found["val"])
    (tmp_path / "coco").mkdir()
    reference = check_detection(write(tmp_path / "coco", "coco"))
    for split, summary in found.items():
        assert told(summary) == told(reference[split])


def test_a_polygon_becomes_the_box_around_it_and_images_without_labels_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = write(tmp_path, "yolo")
    (tmp_path / "labels/a.txt").write_text("1 0.25 0.1 0.5 0.2 0.3 0.95 0.25 0.1\n1.0 .5 .5 1 1\n")
    with caplog.at_level(logging.INFO):
        found = check_detection(config)
    boxes = [entry for summary in found.values() for entry in told(summary)]
    assert (("a.jpg", WIDTH, HEIGHT), "dog", 15, 4, 15, 34, 15 * 34) in boxes
    assert "1 lines hold polygons; the box around each is taken" in caplog.text
    assert "1 of 4 images have no label file" in caplog.text and "c.png" in caplog.text


def test_what_systems_and_exports_lay_beside_is_no_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Previews in hidden folders are no images without objects, and a list of the images is no label."""
    config = write(tmp_path, "yolo")
    for folder in (".ipynb_checkpoints", "@eaDir/a.jpg", "__MACOSX"):
        place = tmp_path / "images" / folder
        place.mkdir(parents=True)
        (place / "preview.jpg").write_bytes((tmp_path / "images/a.jpg").read_bytes())
    for name in ("README.roboflow.txt", "train.txt"):
        (tmp_path / "labels" / name).write_text("images/a.jpg and others\n")
    found = check_detection(config)
    assert sorted(names_of(found["train"]) + names_of(found["val"])) == sorted(IMAGES)
    assert "train.txt: passed over, as no labels" in caplog.text


def names_of(summary: CocoSummary) -> list[str]:
    return [name for name, _, _ in summary.images.values()]


@pytest.mark.parametrize(
    "text", ["names: [0, 1.5]\n", "nc: '2'\nnames: {'1': '1.5', '0': 0}\n", "0\n1.5\n"]
)
def test_names_of_classes_may_be_numbers(text: str, tmp_path: Path) -> None:
    file = tmp_path / ("classes.txt" if ":" not in text else "data.yaml")
    file.write_text(text)
    assert read_class_names(file).names == {0: "0", 1: "1.5"}


def test_variants_of_a_picture_are_not_divided(tmp_path: Path) -> None:
    """Roboflow's augmented copies: what is learnt from one is known of the others."""
    names = [f"{n // 3}_jpg.rf.{n:08x}.jpg" for n in range(30)] + [
        f"{n}.rf.x.d/p.jpg" for n in range(3)
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (20, 20)).save(tmp_path / name)
    (tmp_path / "all.json").write_text(
        json.dumps(
            {
                "images": [
                    {"id": n, "file_name": name, "width": 20, "height": 20}
                    for n, name in enumerate(names)
                ],
                "annotations": [
                    {"id": n, "image_id": n, "category_id": 0, "bbox": [1, 1, 9, 9]}
                    for n in range(len(names))
                ],
                "categories": [{"id": 0, "name": "cat"}],
            }
        )
    )
    train = {"annotations": str(tmp_path / "all.json"), "images": str(tmp_path)}
    config = CocoDetection.model_validate(
        {"train": train, "split": {"val": 0.2, "test": 0.2, "seed": 0}}
    )
    parts = [
        {name.split(".rf.")[0] for name in names_of(part)}
        for part in check_detection(config).values()
    ]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 13
    assert [len(part) for part in parts] == [7, 3, 3]


def test_what_is_difficult_is_a_region_and_corners_may_be_coordinates(tmp_path: Path) -> None:
    config = write(tmp_path, "voc")
    file = tmp_path / "Annotations/a.xml"
    text = file.read_text().replace("<difficult>0", "<difficult>1", 1)
    file.write_text(
        text.replace("<filename>a.jpg</filename>", "").replace(f"<width>{WIDTH}", "<width>0")
    )
    found = check_detection(config)
    entries = [entry for each in found.values() for entry in each.annotations]
    assert sum(entry["iscrowd"] for entry in entries) == 1
    text = text.replace("<difficult>1", "<difficult>0")
    file.write_text(text.replace("<xmin>4</xmin>", "<xmin>0.5</xmin>"))
    with pytest.raises(DatasetError, match=r"a\.xml, line 3: its xmin is 0\.5.*first_pixel: 0"):
        check_detection(config)
    (tmp_path / "Annotations/deep/b.xml").unlink()  # one pixel, which as coordinates covers nothing
    found = check_detection(config.model_copy(update={"first_pixel": 0}))
    boxes = [entry["bbox"] for each in found.values() for entry in each.annotations]
    assert [0.5, 5, 22.5, 10] in boxes


def test_the_image_set_names_the_files_of_a_split(tmp_path: Path) -> None:
    whole = write(tmp_path, "voc")
    sets = {"train": "a\ndeep/b\nc\n", "val": "d\n"}
    for name, text in sets.items():
        (tmp_path / f"{name}.txt").write_text(text)
    split = {"annotations": whole.train.annotations, "images": whole.train.images}
    config = VocDetection.model_validate(
        {name: {**split, "image_set": str(tmp_path / f"{name}.txt")} for name in sets}
    )
    found = check_detection(config)
    assert sorted(name for name, _, _ in found["train"].images.values()) == [
        *("a.jpg", "c.png", "deep/b.PNG")
    ]
    (tmp_path / "val.txt").write_text("d 1\ne\n")
    with pytest.raises(
        DatasetError, match=r"val\.txt, line 1: holds more(.|\n)*line 2: there is no e"
    ):
        check_detection(config)


def test_only_what_is_used_is_the_version(tmp_path: Path) -> None:
    write(tmp_path / "y", "yolo")
    write(tmp_path / "v", "voc")
    labels, names = tmp_path / "y/labels", tmp_path / "y/data.yaml"
    xml = tmp_path / "v/Annotations"

    def versions() -> list[str]:
        yolo = [annotation_version(path, "yolo") for path in (labels, names, tmp_path / "y/images")]
        return [*yolo, annotation_version(xml, "voc")]

    before = versions()
    (labels / "a.txt").write_text("\n" + (labels / "a.txt").read_text().replace(" ", "  "))
    (labels / "classes.txt").write_text("cat\ndog\n")
    names.write_text(names.read_text().replace("../x", "/elsewhere"))
    (xml / "a.xml").write_text(
        (xml / "a.xml").read_text().replace("<size>", "<pose>Left</pose>\n<size>")
    )
    assert versions() == before
    (labels / "a.txt").write_text((labels / "a.txt").read_text().replace("0  ", "1  ", 1))
    names.write_text(names.read_text().replace("dog", "hound"))
    (tmp_path / "y/images/more.png").touch()
    (xml / "a.xml").write_text((xml / "a.xml").read_text().replace("<xmax>23", "<xmax>24"))
    assert not set(versions()) & set(before)


def test_without_labels_an_image_is_no_copy_of_another_split(tmp_path: Path) -> None:
    """Pictures listed twice under one name are one picture, and never in two splits."""
    config = write(tmp_path, "coco")
    content = json.loads((tmp_path / "all.json").read_text())
    copies = [{**image, "id": image["id"] + 10} for image in content["images"]]
    content["images"] = copies + content["images"]
    (tmp_path / "all.json").write_text(json.dumps(content))
    found = check_detection(config)
    names = [{name for name, _, _ in each.images.values()} for each in found.values()]
    assert not names[0] & names[1]
    assert sum(len(each.images) for each in found.values()) == 8
