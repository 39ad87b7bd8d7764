"""Made photographs of one colour with boxes of a user, in each of the formats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True)
class Photograph:
    """Width, height, and the boxes in it with the names of their classes."""

    width: int
    height: int
    boxes: Sequence[tuple[str, Box]]


def alike(number: int, width: int, height: int, box: Box) -> list[Photograph]:
    """Photographs of one size, each with one box of a cat."""
    return [Photograph(width, height, [("cat", box)])] * number


def save(
    folder: Path, photographs: Sequence[Photograph], source: Literal["coco", "yolo", "voc"]
) -> tuple[str, str]:
    """Write the images and their annotations; returns what to give for `--annotations` and `--images`."""
    images = folder / "photos"
    images.mkdir(parents=True)
    for number, each in enumerate(photographs):
        Image.new("L", (each.width, each.height)).save(images / f"{number:03}.png")
    names = sorted({name for each in photographs for name, _ in each.boxes})
    labels = folder / "labels"
    match source:
        case "coco":
            labels = folder / "labels.json"
            labels.write_text(json.dumps(_coco(photographs, names)))
        case "yolo":
            labels.mkdir()
            (folder / "classes.txt").write_text("\n".join(names) + "\n")
            for number, each in enumerate(photographs):
                (labels / f"{number:03}.txt").write_text(_yolo(each, names))
        case "voc":
            labels.mkdir()
            for number, each in enumerate(photographs):
                (labels / f"{number:03}.xml").write_text(_voc(each))
    return str(labels), str(images)


def _coco(photographs: Sequence[Photograph], names: Sequence[str]) -> dict[str, Any]:
    annotations = [
        {"image_id": number, "category_id": names.index(name), "bbox": list(box)}
        for number, each in enumerate(photographs)
        for name, box in each.boxes
    ]
    return {
        "images": [
            {"id": n, "file_name": f"{n:03}.png", "width": each.width, "height": each.height}
            for n, each in enumerate(photographs)
        ],
        "annotations": [{"id": n, **each} for n, each in enumerate(annotations)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names)],
    }


def _yolo(each: Photograph, names: Sequence[str]) -> str:
    return "".join(
        f"{names.index(name)} {(x + w / 2) / each.width} {(y + h / 2) / each.height} "
        f"{w / each.width} {h / each.height}\n"
        for name, (x, y, w, h) in each.boxes
    )


def _voc(each: Photograph) -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
        f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
        for name, (x, y, w, h) in each.boxes
    )
    return f"<annotation>{objects}</annotation>"
