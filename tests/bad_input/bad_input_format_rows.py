"""Rows of the table of bad inputs: annotations in YOLO's and Pascal VOC's formats, and splits of one file."""

from __future__ import annotations

from typing import Any

from bad_input_row import DETECTION, Row, Spoil
from bad_input_world import CONFIG, SPLITS, World

BOX = "0 0.5 0.5 0.5 0.5\n"
OBJECT = (
    "<object>\n<name>cat</name>\n<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>20</xmax><ymax>30</ymax>"
    "</bndbox>\n</object>\n"
)


SIDEWAYS = "<size><width>32</width><height>40</height></size>"


def yolo(spoilt: dict[str, str | bytes], **settings: Any) -> Spoil:
    """A sound dataset in YOLO's format with some files spoilt (in `data/`), and other settings."""

    def spoil(world: World) -> None:
        files: dict[str, str | bytes] = {"names.yaml": "names: {0: cat, 1: dog}\n"}
        files |= {
            f"{split}/{n}.txt": BOX + BOX.replace("0", "1", 1) for split in SPLITS for n in range(3)
        }
        _write(world, "yolo", files | spoilt, {"names": "data/names.yaml"} | settings)

    return spoil


def voc(spoilt: dict[str, str | bytes], **settings: Any) -> Spoil:
    """The same in Pascal VOC's."""

    def spoil(world: World) -> None:
        content = f"<annotation>\n{OBJECT}{OBJECT.replace('cat', 'dog')}</annotation>\n"
        files: dict[str, str | bytes] = {
            f"{split}/{n}.xml": content for split in SPLITS for n in range(3)
        }
        _write(world, "voc", files | spoilt, settings)

    return spoil


def _write(
    world: World, source: str, files: dict[str, str | bytes], settings: dict[str, Any]
) -> None:
    for name, content in files.items():
        path = world.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    splits = {
        split: {"annotations": f"data/{split}", "images": f"data/{split}"} for split in SPLITS
    }
    section = {**splits, **settings}
    world.set("data.detection", {"source": source, source: section})


def one_file(**shares: Any) -> Spoil:
    """One COCO file, and how it is to be split."""

    def spoil(world: World) -> None:
        train = {"annotations": "data/train.json", "images": "data/train"}
        world.set("data.detection.coco", {"train": train, "split": shares})

    return spoil


def labels(name: str, text: str | bytes, *message: str) -> Row:
    """A row about the label file of train's image 1, in its second line."""
    content = BOX.encode() + text if isinstance(text, bytes) else BOX + text
    place = "[train] data/train/1.txt"
    where = place if isinstance(text, bytes) else f"{place}, line 2: "
    return Row(f"yolo: {name}", yolo({"train/1.txt": content}), DETECTION, (where, *message))


def xml(name: str, old: str, new: str, *message: str) -> Row:
    """A row about the XML file of train's image 1."""
    content = f"<annotation>\n{OBJECT}</annotation>\n"
    assert old in content
    spoil = voc({"train/1.xml": content.replace(old, new)})
    return Row(f"voc: {name}", spoil, DETECTION, ("[train] data/train/1.xml", *message))


YOLO = (
    labels("a line of four numbers", "0 0.5 0.5 0.5\n", "holds 4 values"),
    labels("a confidence", "0 0.5 0.5 0.5 0.5 0.9\n", "sixth is the confidence of a detection"),
    labels("half a point", "0 0.1 0.1 0.5 0.5 0.5 0.9 0.3\n", "neither a box (5) nor the points"),
    labels("pixels", "0 20 16 10 10\n", "holds 20", "divide them by its width and height"),
    labels("a class that has no name", "2 0.5 0.5 0.5 0.5\n", "its class is 2, which the file"),
    labels(
        "a class by its name", "cat 0.5 0.5 0.5 0.5\n", "its class is 'cat', not a whole number"
    ),
    labels("no number", "0 0.5 0.5 0.5 nan\n", "holds 'nan', which is no number"),
    labels("a negative width", "0 0.5 0.5 -0.1 0.5\n", "its width or height is negative: -0.1"),
    labels("a box without area", "0 0.5 0.5 0 0.5\n", "covers nothing"),
    labels("a box beyond the image", "0 0.9 0.5 0.4 0.5\n", "reaches 4 pixels out of image"),
    labels("no text", b"\xff\xfe\x00", "is not text in UTF-8"),
    Row(
        "yolo: labels of no image",
        yolo({"train/7.txt": BOX, "val/A.txt": BOX, "val/a.png": b""}),
        DETECTION,
        (
            "[train] data/train/7.txt: there is no image 7.* in data/train",
            "there is no image A.* in data/val, but 'a.png': capital and small letters differ",
            "[val] data/val/a.png: is empty",
        ),
    ),
    Row(
        "yolo: a folder that holds images and labels, named for both",
        yolo({"train/labels/9.txt": BOX, "train/images/9.png": b""}),
        DETECTION,
        (
            "there is no image labels/9.* in data/train, but 'images/9.png': name folder 'labels' for",
            "[train] data/train/images/9.png: is empty",
        ),
    ),
    Row(
        "yolo: labels without the folder of their image",
        yolo({"train/8.txt": BOX, "train/day/8.png": b""}),
        DETECTION,
        (
            "there is no image 8.* in data/train, but 'day/8.png': labels and images lie in folders",
            "[train] data/train/day/8.png: is empty",
        ),
    ),
    Row(
        "yolo: two images of one name",
        yolo({"train/1.jpg": b""}),
        DETECTION,
        ("data/train/1.txt: belongs to 1.jpg and 1.png",),
    ),
    Row(
        "yolo: names without names",
        yolo({"names.yaml": "nc: 2\n"}),
        DETECTION,
        ("[train] data/names.yaml: has no `names`",),
    ),
    Row(
        "yolo: names of another number",
        yolo({"names.yaml": "nc: 3\nnames: [cat, dog]\n"}),
        DETECTION,
        ("data/names.yaml: has 2 names, and says nc: 3",),
    ),
    Row(
        "yolo: a name that YAML takes for something else",
        yolo({"names.yaml": "names: [cat, no]\n"}),
        DETECTION,
        ("data/names.yaml: has a name that is false: YAML reads yes, no",),
    ),
    Row(
        "yolo: an empty line among the names",
        yolo({"names.txt": "cat\n\ndog\n"}, names="data/names.txt"),
        DETECTION,
        ("data/names.txt: line 2 is empty",),
    ),
    Row(
        "yolo: key points",
        yolo(
            {
                "names.yaml": "kpt_shape: [2, 2]\nnames: [cat, dog]\n",
                "train/1.txt": "0 0.5 0.5 0.5 0.5 0.4 0.4 0.6 0.6\n",
            }
        ),
        DETECTION,
        ("data/train/1.txt, line 1: holds key points",),
    ),
    Row(
        "yolo: no such folder",
        yolo({}, train={"annotations": "data/labels", "images": "data/train"}),
        DETECTION,
        ("[train] data/labels: there is no such folder",),
    ),
)

VOC = (
    xml("not XML", "</annotation>", "</annotatio", "is not XML: unclosed token"),
    xml("another format", "annotation>", "labels>", "root is <labels>, not <annotation>"),
    xml("a document type", "<annotation>", "<!DOCTYPE a><annotation>", "declares a document type"),
    xml("no corner", "<xmax>20</xmax>", "", "line 2: <xmax> in its <bndbox> is missing"),
    xml("a corner that is no number", ">20<", ">far<", "line 2: <xmax>", "is 'far', not a number"),
    xml("corners the wrong way round", ">20<", ">2<", "line 2: its xmax 2 is less than its xmin 3"),
    xml("corners from 0", ">3<", ">0<", "its xmin is 0", "data.detection.voc.first_pixel: 0"),
    xml(
        "a box beyond the image",
        ">20<",
        ">60<",
        "line 2: its bbox",
        "reaches 20 pixels out of image",
    ),
    xml("no name", "<name>cat</name>", "", "line 2: its <name> is None, not a text"),
    Row(
        "voc: another size",
        voc({"train/1.xml": f"<annotation>{SIDEWAYS}{OBJECT}</annotation>"}),
        DETECTION,
        ("[train] data/train/1.png: is 40 x 32, but data/train/1.xml says 32 x 40",),
    ),
    Row(
        "voc: a misspelt class",
        voc(
            {"train/1.xml": f"<annotation>\n{OBJECT.replace('cat', 'cta')}</annotation>"},
            classes=["dog", "cat"],
        ),
        DETECTION,
        ("data/train/1.xml, line 2: its class 'cta' is not in classes (cat, dog)",),
    ),
    Row(
        "voc: two files of one image",
        voc({"train/7.xml": f"<annotation><filename>1.png</filename>\n{OBJECT}</annotation>"}),
        DETECTION,
        ("data/train/7.xml: is about the image 1.png, as data/train/1.xml is",),
    ),
    Row(
        "voc: no image",
        voc({"train/7.xml": f"<annotation><filename>8.png</filename>\n{OBJECT}</annotation>"}),
        DETECTION,
        ("data/train/7.xml: there is no image 7.* in data/train, and no 8.png",),
    ),
)

SPLIT = (
    Row(
        "split: nothing to train on",
        one_file(val=0.5, test=0.5),
        CONFIG,
        ("data.detection.coco.split: val 0.5 and test 0.5 leave nothing to train on",),
    ),
    Row(
        "split: more splits than images with objects",
        one_file(val=0.3, test=0.3),
        DETECTION,
        (
            "data.detection.coco.split: 2 of the 3 images have objects, too few to divide into train, val",
        ),
    ),
)

FORMAT_ROWS = (*YOLO, *VOC, *SPLIT)
