"""Detections of several detectors on the same images, side by side (Hit-Detector, appendix 6.3)."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import read_json
from pipeline.data.index import SplitPaths
from pipeline.deploy.picture import COLOURS
from pipeline.report.detections import (
    FONT_SIZE,
    Box,
    embedded,
    found_on,
    frame,
    label_area,
    label_of,
    objects_on,
)
from pipeline.report.inputs import Detection
from pipeline.report.svg import Figure, document, element, hint, text, text_width
from pipeline.report.tables import Column, Table
from pipeline.training.seeding import derive_seed

TRUTH = "ground truth"
"""The first column."""
SIDE = 240
"""Longest side of an image, pixels."""
GAP = 10
HEADING, HEADING_SIZE = 26, 14.0
COVERED = 0.2
"""Share of an image that its labels may cover; the others' labels are hints of their frames."""

Shown = list[tuple[int, Box, float | None]]
"""Class, box and score of what is drawn on an image; objects have no score."""


def evaluated_side_by_side(
    name: str,
    split: SplitPaths,
    evaluations: Mapping[str, Path],
    *,
    images: int,
    threshold: float,
    seed: int,
) -> tuple[Table, Figure]:
    """`side_by_side` with what evaluations found.

    Args:
        name: of the table's and the figure's file.
        split: on which the detectors were evaluated.
        evaluations: folders of the detectors' evaluations, by what the detectors are called.
        images: how many, drawn at random.
        threshold: detections of at least this score are shown.
        seed: of that draw.

    Raises:
        ArtifactError: annotations, detections or an image cannot be read.
    """
    ids = drawn_images(split, images, seed)
    detections = {
        model: found_on(folder / "detections.json", ids) for model, folder in evaluations.items()
    }
    return side_by_side(name, split, detections, ids, threshold)


def drawn_images(split: SplitPaths, images: int, seed: int) -> set[int]:
    """Ids of some images of a split, drawn at random; of all where there are no more.

    Raises:
        ArtifactError: the annotations cannot be read.
    """
    everything = sorted(image["id"] for image in read_json(split.annotations)["images"])
    draw = random.Random(derive_seed(seed, "side by side"))
    return set(draw.sample(everything, min(images, len(everything))))


def side_by_side(
    name: str,
    split: SplitPaths,
    detections: Mapping[str, Mapping[int, Sequence[Detection]]],
    images: Collection[int],
    threshold: float,
) -> tuple[Table, Figure]:
    """Some images of a split, a row each: what is there, and what each detector found.

    Args:
        name: of the table's and the figure's file.
        split: that the images are of.
        detections: by what the detectors are called and by image, in the order in which they are drawn.
        images: their ids.
        threshold: detections of at least this score are shown.

    Raises:
        ArtifactError: the annotations or an image cannot be read.
    """
    truth = read_json(split.annotations)
    names = {category["id"]: str(category["name"]) for category in truth["categories"]}
    chosen = [image for image in truth["images"] if image["id"] in images]
    chosen.sort(key=lambda image: image["id"])
    objects = objects_on(truth, images)
    columns: dict[str, dict[int, Shown]] = {
        TRUTH: {key: [(kind, box, None) for kind, box in each] for key, each in objects.items()}
    }
    for model, found in detections.items():
        columns[model] = {
            key: [(one.category_id, one.bbox, one.score) for one in each if one.score >= threshold]
            for key, each in found.items()
        }
    rows = [
        [image["file_name"], model, names[kind], score, *box]
        for image in chosen
        for model, shown in columns.items()
        for kind, box, score in shown.get(image["id"], [])
    ]
    keys = ("image", "model", "class", "score", "x", "y", "width", "height")
    table = Table(name, [Column(key, key) for key in keys], rows)
    return table, _figure(name, split.images, chosen, columns, names, threshold)


def _figure(
    name: str,
    folder: Path,
    images: list[Mapping[str, Any]],
    columns: Mapping[str, Mapping[int, Shown]],
    names: Mapping[int, str],
    threshold: float,
) -> Figure:
    body = [_heading(number * (SIDE + GAP), model) for number, model in enumerate(columns)]
    y = float(HEADING)
    for image in images:
        uri, (width, height) = embedded(folder / image["file_name"])
        scale = SIDE / max(width, height)
        size = (width * scale, height * scale)
        for number, shown in enumerate(columns.values()):
            drawn = _image(uri, size, image, shown.get(image["id"], []), names)
            place = f"translate({number * (SIDE + GAP):g} {y:g})"
            body.append(element("g", "".join(drawn), transform=place))
        y += size[1] + GAP
    title = f"Detections from a score of {threshold:g} on, and the ground truth"
    total = len(columns) * (SIDE + GAP) - GAP
    return Figure(name, document(total, y - GAP, body, title), title, total, scrolls=True)


def _heading(x: float, model: str) -> str:
    """What a column shows, smaller where it would run into the next one."""
    wide = text_width(model, HEADING_SIZE, bold=True)
    size = HEADING_SIZE * min(1.0, (SIDE - 4) / wide) if wide else HEADING_SIZE
    return text(x + 2, HEADING - 9, model, size, font_weight="bold")


def _image(
    uri: str,
    size: tuple[float, float],
    image: Mapping[str, Any],
    shown: Shown,
    names: Mapping[int, str],
) -> list[str]:
    width, height = size
    # an image may be stored at another size than the annotations state
    scale_x, scale_y = width / image["width"], height / image["height"]
    body = [element("image", href=uri, width=width, height=height)]
    order = list(names)
    taken: list[Box] = []
    labels = []
    # the most certain are labelled first
    for kind, (x, y, wide, high), score in sorted(shown, key=lambda one: -(one[2] or 0.0)):
        box: Box = (x * scale_x, y * scale_y, wide * scale_x, high * scale_y)
        colour = COLOURS[order.index(kind) % len(COLOURS)]
        label = names[kind] if score is None else f"{names[kind]} {score:.2f}"
        body.append(frame(box, colour, 2.4, hint(label)))
        if len(names) == 1:
            # the one name there is says nothing
            label = "" if score is None else f"{score:.2f}"
        area = label_area(box, text_width(label, FONT_SIZE, bold=True) + 6, size, taken)
        covered = sum(w * h for _, _, w, h in [*taken, area])
        if label and (not taken or covered <= COVERED * width * height):
            taken.append(area)
            labels += label_of(label, area, colour)
    return body + labels
