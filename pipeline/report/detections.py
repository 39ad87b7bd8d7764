"""Section: detections drawn on images of the evaluated split."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_json
from pipeline.artifacts.typed import parse_as, read_as
from pipeline.config.evaluation import ReportConfig
from pipeline.data.images import ImageError, load_pil_image
from pipeline.report.inputs import EVALUATION, Detection, Run
from pipeline.report.section import Group, Section, paragraph
from pipeline.report.svg import Figure, document, element, hint, text, text_width

FOUND, TRUTH = "#ffb31a", "#5ee7ff"
SIDE = 360
"""Longest side of a drawing, pixels."""
LARGE = 256
"""Images up to this side are embedded as they are; larger ones are shrunk, and as JPEG a tenth of PNG."""
SHRUNK = 640
FONT_SIZE = 15.0
LABEL_HEIGHT = 18.0

Box = tuple[float, float, float, float]
"""x, y, width, height."""


def detections_section(run: Run, settings: ReportConfig) -> Section:
    """The first evaluated images by id, with what was found and what is there.

    Raises:
        ArtifactError: the annotations or an image cannot be read.
    """
    figures = detection_figures(run, settings, EVALUATION, "detections")
    intro = detections_key(run, settings, len(figures), "The")
    return Section("detections", "Detections", (intro, Group(figures, "gallery")))


def detection_figures(
    run: Run, settings: ReportConfig, evaluation: str, name: str
) -> tuple[Figure, ...]:
    """The first evaluated images by id, with what a detector found and what is there.

    Args:
        run: the run.
        settings: how many images, and from which score on.
        evaluation: folder of the detector's evaluation, relative to the run's.
        name: what the figures' names begin with.

    Raises:
        ArtifactError: the annotations or an image cannot be read.
    """
    split = run.dataset.split(run.dataset.evaluation_split)
    truth = read_json(split.annotations)
    names = {category["id"]: str(category["name"]) for category in truth["categories"]}
    images = sorted(truth["images"], key=lambda image: image["id"])[: settings.example_images]
    shown = {image["id"] for image in images}
    boxes: dict[int, list[Box]] = defaultdict(list)
    for annotation in truth["annotations"]:
        if annotation["image_id"] in shown and not annotation.get("iscrowd", 0):
            boxes[annotation["image_id"]].append(tuple(annotation["bbox"]))
    found = _found(run.path / evaluation / "detections.json", shown)
    return tuple(
        _figure(
            f"{name}_{image['id']:06d}",
            split.images / image["file_name"],
            image,
            boxes[image["id"]],
            found.get(image["id"], []),
            names,
            settings.score_threshold,
        )
        for image in images
    )


def detections_key(run: Run, settings: ReportConfig, count: int, beginning: str) -> Markup:
    """What the drawings show; `beginning` stands before `first <count> … images`."""
    return paragraph(
        '{} first {} {} images by id. <span class="key"><i style="background:{}"></i>'
        'detection</span> with class and score, from {} on; <span class="key"><i style="background:{}"></i>'
        "annotated object</span>.",
        beginning,
        count,
        run.evaluated,
        FOUND,
        settings.score_threshold,
        TRUTH,
    )


def _found(path: Path, shown: set[int]) -> Mapping[int, list[Detection]]:
    """By image, all detections on the images shown, best first."""
    content = read_as(path, list[dict[str, Any]])
    wanted = [item for item in content if item.get("image_id") in shown]
    found: dict[int, list[Detection]] = defaultdict(list)
    for detection in sorted(
        parse_as(wanted, list[Detection], path), key=lambda item: (-item.score, item.bbox)
    ):
        found[detection.image_id].append(detection)
    return found


def _figure(
    name: str,
    path: Path,
    image: Mapping[str, Any],
    truth: list[Box],
    found: list[Detection],
    names: Mapping[int, str],
    threshold: float,
) -> Figure:
    uri, (width, height) = _embedded(path)
    scale = SIDE / max(width, height)
    width, height = width * scale, height * scale
    # an image may be stored at another size than the annotations state
    scale_x, scale_y = width / image["width"], height / image["height"]

    def place(box: Box) -> Box:
        return box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y

    detections = [detection for detection in found if detection.score >= threshold]
    pixelated = "image-rendering:pixelated" if scale > 2 else ""
    body = [
        element("image", href=uri, width=width, height=height, style=pixelated),
        *(_frame(place(box), TRUTH, 1.4) for box in truth),
    ]
    taken: list[Box] = []
    labels = []
    for detection in detections:
        box = place(detection.bbox)
        label = f"{names[detection.category_id]} {detection.score:.2f}"
        body.append(_frame(box, FOUND, 2.4, hint(label)))
        area = label_area(box, text_width(label, FONT_SIZE, bold=True) + 6, (width, height), taken)
        taken.append(area)
        labels += _label(label, area)
    count = f"{len(detections)} found"
    if found and not detections:
        count += f" (best score {found[0].score:.2f})"
    title = f"{image['file_name']}: {count}, {len(truth)} annotated"
    return Figure(
        name,
        document(width, height, body + labels, title),
        title,
        width,
    )


def _embedded(path: Path) -> tuple[str, tuple[int, int]]:
    """The image as a data URI, and its stored (width, height)."""
    try:
        image = load_pil_image(path)
    except (OSError, ImageError) as error:
        raise ArtifactError(f"an image cannot be drawn: {error}") from error
    size = image.size
    content = io.BytesIO()
    if max(size) <= LARGE:
        image.save(content, "PNG", optimize=True)
        kind = "png"
    else:
        image.thumbnail((SHRUNK, SHRUNK), Image.Resampling.LANCZOS)
        image.save(content, "JPEG", quality=85)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}", size


def _frame(box: Box, colour: str, thickness: float, content: str = "") -> str:
    x, y, width, height = box
    # a dark line beneath keeps the frame visible on a bright photograph
    shape = {"x": x, "y": y, "width": width, "height": height, "fill": "none"}
    return element(
        "rect", **shape, stroke="#000000", stroke_opacity=0.45, stroke_width=thickness + 1.4
    ) + (element("rect", content, **shape, stroke=colour, stroke_width=thickness))


def _label(label: str, area: Box) -> list[str]:
    x, y, width, height = area
    return [
        element("rect", x=x, y=y, width=width, height=height, rx=2, fill=FOUND),
        text(x + 3, y + 14.2, label, FONT_SIZE, fill="#15181e", font_weight="bold"),
    ]


def label_area(box: Box, width: float, canvas: tuple[float, float], taken: list[Box]) -> Box:
    """Where to write a box's label: inside the canvas, and if possible over no other label.

    Args:
        box: the detection.
        width: of the label.
        canvas: width and height of the drawing.
        taken: areas of the labels written before.
    """
    places = [_clamped(x, y, width, canvas) for x, y in _corners(box, width)]
    # where all corners are taken, the nearest free line above or below
    lines = [n * LABEL_HEIGHT for n in range(int(canvas[1] // LABEL_HEIGHT))]
    lines.sort(key=lambda y: abs(y - box[1]))
    places += [_clamped(box[0], y, width, canvas) for y in lines]
    free = (place for place in places if not any(overlap(place, other) for other in taken))
    return next(free, places[0])


def _corners(box: Box, width: float) -> Iterator[tuple[float, float]]:
    x, y, box_width, box_height = box
    above, below = y - LABEL_HEIGHT, y + box_height
    right = x + box_width - width
    yield from ((x, above), (x, below), (right, above), (right, below))
    yield from ((x, y), (right, below - LABEL_HEIGHT))


def _clamped(x: float, y: float, width: float, canvas: tuple[float, float]) -> Box:
    return (
        max(0.0, min(x, canvas[0] - width)),
        max(0.0, min(y, canvas[1] - LABEL_HEIGHT)),
        width,
        LABEL_HEIGHT,
    )


def overlap(first: Box, second: Box) -> bool:
    """Whether two boxes share an area."""
    return all(
        first[axis] < second[axis] + second[axis + 2]
        and second[axis] < first[axis] + first[axis + 2]
        for axis in (0, 1)
    )
