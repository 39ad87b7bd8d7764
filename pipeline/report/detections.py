"""Section: detections drawn on images of the evaluated split."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
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

RIGHT, WRONG, MISSED = "#5ac8ff", "#ff7a1a", "#fff06b"
"""Told apart with every kind of colour blindness; a wrong detection's label has a cross, a missed object's
frame is dashed."""
COCO_IOU = 0.5
"""A detection is right where it covers an object of its class by this much, as for AP50."""
SIDE = 360
"""Longest side of a drawing, pixels."""
LARGE = 256
"""Images up to this side are embedded as they are; larger ones are shrunk, and as JPEG a tenth of PNG."""
SHRUNK = 640
FONT_SIZE = 15.0
LABEL_HEIGHT = 18.0

Objects = list[tuple[int, "Box"]]
"""Class and box of each object of an image."""
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
    objects = objects_on(truth, shown)
    found = found_on(run.path / evaluation / "detections.json", shown)
    return tuple(
        _figure(
            f"{name}_{image['id']:06d}",
            split.images / image["file_name"],
            image,
            objects[image["id"]],
            found.get(image["id"], []),
            names,
            settings.score_threshold,
        )
        for image in images
    )


def objects_on(truth: Mapping[str, Any], shown: Container[int]) -> Mapping[int, Objects]:
    """By image, the objects that COCO instances have on the images shown; crowds are none."""
    objects: dict[int, Objects] = defaultdict(list)
    for annotation in truth["annotations"]:
        if annotation["image_id"] in shown and not annotation.get("iscrowd", 0):
            box: Box = tuple(annotation["bbox"])
            objects[annotation["image_id"]].append((annotation["category_id"], box))
    return objects


def detections_key(run: Run, settings: ReportConfig, count: int, beginning: str) -> Markup:
    """What the drawings show; `beginning` stands before `first <count> … images`."""
    return paragraph(
        "{} first {} {} images by id, detections with class and score, from {} on: "
        '<span class="key"><i style="background:{}"></i>right</span>, the class of an object and an IoU of '
        'at least {} with it; <span class="key"><i style="background:{}"></i>✗ wrong</span>; '
        '<span class="key"><i class="dashed" style="background:{}"></i>missed</span>, an object that no '
        "detection is right about.",
        beginning,
        count,
        run.evaluated,
        settings.score_threshold,
        RIGHT,
        COCO_IOU,
        WRONG,
        MISSED,
    )


def judged(detections: Sequence[Detection], objects: Objects) -> tuple[list[bool], list[Box]]:
    """Which detections are right, and the objects that none of them is right about.

    As COCO's evaluation does at one IoU: in the order given, best first, each takes the object of its class
    that it covers most, among those not taken yet.
    """
    left = list(objects)
    right: list[bool] = []
    for found in detections:
        covers = [
            (overlap_over_union(found.bbox, box), number)
            for number, (category, box) in enumerate(left)
            if category == found.category_id
        ]
        most, number = max(covers, default=(0.0, -1))
        right.append(most >= COCO_IOU)
        if right[-1]:
            del left[number]
    return right, [box for _, box in left]


def overlap_over_union(first: Box, second: Box) -> float:
    """IoU of two boxes; 0 where both are empty."""
    shared = 1.0
    for axis in (0, 1):
        end = min(first[axis] + first[axis + 2], second[axis] + second[axis + 2])
        shared *= max(0.0, end - max(first[axis], second[axis]))
    union = first[2] * first[3] + second[2] * second[3] - shared
    return shared / union if union > 0 else 0.0


def found_on(path: Path, shown: set[int]) -> Mapping[int, list[Detection]]:
    """By image, all detections on the images shown, best first."""
    content = read_as(path, list[dict[str, Any]])
    wanted = [item for item in content if item.get("image_id") in shown]
    return by_image(parse_as(wanted, list[Detection], path))


def by_image(detections: Iterable[Detection]) -> Mapping[int, list[Detection]]:
    """Detections by image, best first."""
    found: dict[int, list[Detection]] = defaultdict(list)
    for detection in sorted(detections, key=lambda item: (-item.score, item.bbox)):
        found[detection.image_id].append(detection)
    return found


def _figure(
    name: str,
    path: Path,
    image: Mapping[str, Any],
    objects: Objects,
    found: list[Detection],
    names: Mapping[int, str],
    threshold: float,
) -> Figure:
    uri, (width, height) = embedded(path)
    scale = SIDE / max(width, height)
    width, height = width * scale, height * scale
    # an image may be stored at another size than the annotations state
    scale_x, scale_y = width / image["width"], height / image["height"]

    def place(box: Box) -> Box:
        return box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y

    detections = [detection for detection in found if detection.score >= threshold]
    pixelated = "image-rendering:pixelated" if scale > 2 else ""
    right, missed = judged(detections, objects)
    body = [
        element("image", href=uri, width=width, height=height, style=pixelated),
        *(frame(place(box), MISSED, 2.4, dashed=True) for box in missed),
    ]
    taken: list[Box] = []
    labels = []
    for detection, is_right in zip(detections, right, strict=True):
        box = place(detection.bbox)
        colour = RIGHT if is_right else WRONG
        label = f"{names[detection.category_id]} {detection.score:.2f}"
        label = label if is_right else f"✗ {label}"
        body.append(frame(box, colour, 2.4, hint(label)))
        area = label_area(box, text_width(label, FONT_SIZE, bold=True) + 6, (width, height), taken)
        taken.append(area)
        labels += label_of(label, area, colour)
    count = f"{sum(right)} right, {len(right) - sum(right)} wrong, {len(missed)} missed"
    if found and not detections:
        count += f" (best score {found[0].score:.2f})"
    title = f"{image['file_name']}: {count}"
    return Figure(
        name,
        document(width, height, body + labels, title),
        title,
        width,
    )


def embedded(path: Path) -> tuple[str, tuple[int, int]]:
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


def frame(
    box: Box, colour: str, thickness: float, content: str = "", *, dashed: bool = False
) -> str:
    """A box's outline; `content` is an SVG element inside, such as a hint."""
    x, y, width, height = box
    # a dark line beneath keeps the frame visible on a bright photograph
    shape = {"x": x, "y": y, "width": width, "height": height, "fill": "none"}
    dashes = {"stroke_dasharray": "7 5"} if dashed else {}
    return element(
        "rect", **shape, stroke="#000000", stroke_opacity=0.45, stroke_width=thickness + 1.4
    ) + (element("rect", content, **shape, stroke=colour, stroke_width=thickness, **dashes))


def label_of(label: str, area: Box, colour: str) -> list[str]:
    """A label on a ground of a colour."""
    x, y, width, height = area
    return [
        element("rect", x=x, y=y, width=width, height=height, rx=2, fill=colour),
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
