"""Rows of the table of bad inputs: what tools write into annotation files, and odd image files."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bad_input_row import CLASSIFICATION, DETECTION, Row, Spoil, configure, edit
from bad_input_world import CONFIG, World
from PIL import Image

PREDICT = "predict"
PIXELS = np.random.default_rng(1).integers(0, 255, (32, 40, 3), np.uint8)
PHOTO = Image.fromarray(PIXELS)


def every_box(change: Callable[[dict[str, Any]], object], split: str = "train") -> Spoil:
    """Change every annotation of a split."""
    return lambda world: world.edit(
        split, lambda content: [change(entry) for entry in content["annotations"]]
    )


def image(content: bytes, name: str = "1.png") -> Spoil:
    """Put other bytes into an image of train, which may get another name."""

    def spoil(world: World) -> None:
        (world.folder / "data/train/1.png").unlink()
        (world.folder / "data/train" / name).write_bytes(content)
        edit("train", "images", 1, file_name=name)(world)

    return spoil


def encoded(picture: Image.Image, kind: str, **settings: Any) -> bytes:
    """The bytes of an image file."""
    content = io.BytesIO()
    picture.save(content, kind, **settings)
    return content.getvalue()


def instead(make: Callable[[Path], object]) -> Spoil:
    """Put something else in the place of an image of train."""

    def spoil(world: World) -> None:
        path = world.folder / "data/train/1.png"
        path.unlink()
        make(path)

    return spoil


def renamed(on_disk: str, written: str) -> Spoil:
    """Give an image one name on disk and another one in the annotations."""

    def spoil(world: World) -> None:
        folder = world.folder / "data/train"
        (folder / on_disk).parent.mkdir(exist_ok=True)
        (folder / "1.png").rename(folder / on_disk)
        edit("train", "images", 1, file_name=written)(world)

    return spoil


def as_text(encoding: str, name: str = "Hündin") -> Spoil:
    """Write the annotations of train in an encoding, with a class that is not ASCII."""

    def spoil(world: World) -> None:
        for split in ("train", "val", "test"):
            edit(split, "categories", 1, name=name)(world)
        file = world.annotations("train")
        text = json.dumps(json.loads(file.read_text()), ensure_ascii=False)
        file.write_bytes(text.encode(encoding))

    return spoil


def written(name: str, content: bytes) -> Spoil:
    """Write a further file."""
    return lambda world: (world.folder / name).write_bytes(content)


def frames(kind: str) -> bytes:
    """An image file of two frames or pages."""
    other = Image.fromarray(255 - PIXELS)
    return encoded(PHOTO, kind, save_all=True, append_images=[other])


def corners(entry: dict[str, Any]) -> None:
    """Write a box as two corners."""
    entry["bbox"] = [22, 8, 36, 30]


def patched_jpeg(place: int, value: int) -> bytes:
    """A JPEG whose frame header holds another byte."""
    content = bytearray(encoded(PHOTO, "JPEG"))
    content[content.index(b"\xff\xc0") + place] = value
    return bytes(content)


INTEGERS = Image.fromarray(PIXELS[:, :, 0].astype(np.int32))
FLOATS = Image.fromarray(PIXELS[:, :, 0].astype(np.float32))
SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6
DATA = "[train] data/train"
TRAIN = "[train] data/train.json"


def data_row(name: str, spoil: Spoil, *message: str) -> Row:
    """A row of the detection dataset."""
    return Row(f"own data: {name}", spoil, DETECTION, message)


REFUSED = (
    data_row(
        "boxes are fractions",
        every_box(lambda entry: entry.update(bbox=[0.1, 0.2, 0.3, 0.4], area=0.12)),
        *("1 defect", TRAIN, "all 4 boxes (annotation 10, ", "look like fractions", "multiply"),
    ),
    data_row(
        "one box is a fraction",
        edit("train", "annotations", 2, bbox=[0.1, 0.2, 0.3, 0.4]),
        *("1 defect", f"{TRAIN}, annotation 12", "narrower than 1 pixel", "fractions"),
    ),
    data_row(
        "boxes are corners",
        every_box(corners),
        *("1 defect", TRAIN, "annotation 10, annotation 11", "look like corners", "subtract"),
    ),
    data_row(
        "a box is half a pixel high",
        edit("train", "annotations", 1, bbox=[3, 4, 9, 0.5]),
        *("1 defect", f"{TRAIN}, annotation 11", "training would pass over it"),
    ),
    data_row(
        "a box lies beside its image",
        edit("train", "annotations", 1, bbox=[-1, 4, 1, 9]),
        *("1 defect", f"{TRAIN}, annotation 11", "some of it must be inside"),
    ),
    data_row(
        "all boxes are crowd regions",
        every_box(lambda entry: entry.update(iscrowd=1), "test"),
        *("[test] data/test.json", "none of its images has an object"),
    ),
    data_row(
        "all boxes are to be ignored",
        every_box(lambda entry: entry.update(ignore=1), "val"),
        *("[val] data/val.json", "none of its images has an object"),
    ),
    data_row(
        "a box is ignored by a word",
        edit("train", "annotations", 0, ignore="yes"),
        *(f"{TRAIN}, annotation 10", "its ignore is 'yes', not 0 or 1"),
    ),
    data_row(
        "areas are texts",
        edit("train", "annotations", 0, area="200"),
        *(f"{TRAIN}, annotation 10", "its area is '200', not a finite number"),
    ),
    data_row(
        "a box of a thousand numbers",
        edit("train", "annotations", 0, bbox=list(range(1000))),
        *(f"{TRAIN}, annotation 10", "characters), not the four numbers"),
    ),
    data_row(
        "annotations in Latin-1",
        as_text("latin-1"),
        *(TRAIN, "is not text in UTF-8, -16 or -32", "save it as UTF-8"),
    ),
    data_row(
        "a name of half a character",
        edit("train", "images", 1, file_name="\ud83d.png"),
        *(f"{TRAIN}, image 1", "half a character"),
    ),
    data_row(
        "a file of annotations that is a pipe",
        lambda world: (
            world.annotations("val").unlink(),
            os.mkfifo(world.annotations("val")),
        ),
        *("[val] data/val.json", "is no file"),
    ),
    data_row(
        "names as Windows writes them",
        renamed("1.png", "..\\train\\1.png"),
        *("image 1", "write '../train/1.png' as its file_name"),
    ),
    data_row(
        "a name in another Unicode form",
        renamed("hu\u0308ndin.png", "h\u00fcndin.png"),
        *("image 1", "another Unicode form (NFD)"),
    ),
    data_row(
        "a name in another encoding on disk",
        renamed(os.fsdecode(b"h\xfcndin.png"), "h\u00fcndin.png"),
        *("image 1", "another encoding (latin-1): rename that, in UTF-8"),
    ),
    data_row(
        "a name with its folder",
        edit("train", "images", 1, file_name="images/train/1.png"),
        *("image 1", "'1.png' lies in data/train: write file_name relative to that folder"),
    ),
    data_row(
        "a name that starts above the folder",
        edit("train", "images", 1, file_name="train/1.png"),
        *("image 1", "/data as the folder of the images"),
    ),
    data_row(
        "an image deeper than its name says",
        renamed("default/1.png", "1.png"),
        *("image 1", "but 'default/1.png': name the folder in which it lies, or write that"),
    ),
    data_row(
        "a name with another ending",
        renamed("1.PNG", "1.png"),
        *("image 1", "but '1.PNG': capital and small letters differ"),
    ),
    data_row(
        "AVIF",
        image(b"\0\0\0 ftypavif\0\0\0\0avifmif1", "1.avif"),
        *(f"{DATA}/1.avif, image 1", "is AVIF; JPEG, PNG", "convert it to PNG"),
    ),
    data_row(
        "floating-point TIFF",
        image(encoded(FLOATS, "TIFF"), "1.tif"),
        *(f"{DATA}/1.tif, image 1", "holds floating-point values", "scale them to 8 bits"),
    ),
    data_row(
        "EPS named .png",
        image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 32\n"),
        *(f"{DATA}/1.png, image 1", "is EPS or PostScript"),
    ),
    data_row(
        "pointer of Git LFS",
        image(b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n"),
        *(f"{DATA}/1.png, image 1", "the image itself was not fetched"),
    ),
    data_row(
        "JPEG of 12 bits",
        image(patched_jpeg(4, 12), "1.jpg"),
        *(f"{DATA}/1.jpg, image 1", "is a JPEG of 12 bits a channel"),
    ),
    data_row(
        "JPEG without loss",
        image(patched_jpeg(1, 0xC3), "1.jpg"),
        *(f"{DATA}/1.jpg, image 1", "is a lossless JPEG"),
    ),
    data_row(
        "TIFF of 32-bit numbers",
        image(encoded(INTEGERS, "TIFF"), "1.tif"),
        *(f"{DATA}/1.tif, image 1", "holds 32-bit values"),
    ),
    data_row(
        "TIFF in Lab",
        image(encoded(PHOTO.convert("LAB"), "TIFF"), "1.tif"),
        *(f"{DATA}/1.tif, image 1", "holds LAB values"),
    ),
    data_row(
        "images above the limit",
        configure(data__detection__coco__most_pixels=1000),
        *("9 defects", f"{DATA}/0.png, image 0", "has 1,280 pixels, and at most 1,000 are read"),
    ),
    data_row(
        "animation",
        image(frames("GIF"), "1.gif"),
        *(f"{DATA}/1.gif, image 1", "holds 2 frames or pages"),
    ),
    data_row(
        "TIFF of two pages",
        image(frames("TIFF"), "1.tif"),
        *(f"{DATA}/1.tif, image 1", "holds 2 frames or pages"),
    ),
    data_row(
        "WebP that is cut off",
        image(encoded(PHOTO, "WEBP", lossless=True)[:-60], "1.webp"),
        *(f"{DATA}/1.webp, image 1", "is damaged or truncated"),
    ),
    data_row(
        "pipe in place of an image",
        instead(os.mkfifo),
        *(f"{DATA}/1.png, image 1", "is a named pipe, no image file"),
    ),
    data_row(
        "link to a device",
        instead(lambda path: path.symlink_to("/dev/zero")),
        *(f"{DATA}/1.png, image 1", "is a device, no image file"),
    ),
    data_row(
        "folder in place of an image",
        instead(lambda path: path.mkdir()),
        *(f"{DATA}/1.png, image 1", "is a folder, no image file"),
    ),
    data_row(
        "link to nowhere",
        instead(lambda path: path.symlink_to("nowhere.png")),
        *(f"{DATA}/1.png, image 1", "there is no such file"),
    ),
    data_row(
        "photograph annotated sideways",
        image(encoded(PHOTO, "JPEG", exif=SIDEWAYS.tobytes()), "1.jpg"),
        *("is 32 x 40, but data/train.json says 40 x 32", "its EXIF orientation may turn it"),
    ),
    Row(
        "class folders: floating-point TIFF",
        lambda world: (
            world.source("image_folder"),
            (world.folder / "data/folders/val/dog/1.tif").write_bytes(encoded(FLOATS, "TIFF")),
        ),
        CLASSIFICATION,
        ("data/folders/val/dog/1.tif", "holds floating-point values"),
    ),
    Row(
        "class folders: images above the limit",
        configure(
            data__classification__source="image_folder",
            data__classification__image_folder__most_pixels=10,
        ),
        CLASSIFICATION,
        ("data/folders/val/dog/", "and at most 10 are read"),
    ),
    Row(
        "a limit beyond what OpenCV reads",
        configure(data__detection__coco__most_pixels=2**31),
        CONFIG,
        ("data.detection.coco.most_pixels", "less than or equal to 1073741824"),
    ),
    Row(
        "own annotations without their source",
        configure(data__detection__source="embedded"),
        CONFIG,
        ("there is a section `coco`, but source is embedded: write `source: coco`",),
    ),
    Row(
        "own class folders without their source",
        configure(data__classification__source="embedded"),
        CONFIG,
        ("there is a section `image_folder`, but source is embedded",),
    ),
    Row(
        "predict on an animation",
        written("data/a.gif", frames("GIF")),
        PREDICT,
        ("data/a.gif holds 2 frames or pages",),
        ("data", "data/a.gif"),
    ),
    Row(
        "predict into a file without an ending",
        lambda world: None,
        PREDICT,
        ("--out drawn is no folder, and has no ending of an image",),
        ("data", "data/val/0.png", "--out", "drawn"),
    ),
    Row(
        "predict of several images into a file",
        lambda world: None,
        PREDICT,
        ("--out data/val.json is a file; drawings of several images need a folder",),
        ("data", "data/val/0.png", "data/val/1.png", "--out", "data/val.json"),
    ),
    Row(
        "predict over its image",
        lambda world: None,
        PREDICT,
        ("--out would write over the image data/val/0.png",),
        ("data", "data/val/0.png", "--out", "data/val"),
    ),
)
