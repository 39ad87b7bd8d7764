"""The splits that are cut from a checked training split."""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import replace

from pipeline.config.own_detection import SplitShares
from pipeline.data.coco_summary import CocoSummary
from pipeline.data.division import TRAIN, divide

log = logging.getLogger(__name__)

VARIANT = re.compile(r"\.rf\.[0-9A-Za-z_-]+\.\w+\Z")
"""The end of the name that Roboflow gives each of the augmented copies of an image."""


def cut_splits(whole: CocoSummary, shares: SplitShares) -> dict[str, CocoSummary]:
    """Divide a split by its images: each part keeps the ids, the order and all categories.

    Images of the same file are one picture, and so are variants of one that Roboflow has made; they stay
    together. A region is no object.

    Raises:
        DivisionError: There are too few images with objects.
    """
    names = {name for name, _, _ in whole.images.values()}
    labels: dict[str, set[int]] = {_picture(name): set() for name in names}
    if len(labels) < len(names):
        log.info(
            "split: %d images are variants of %d pictures (….rf.…): those of one stay together",
            len(names),
            len(labels),
        )
    for entry in whole.annotations:
        if not entry["iscrowd"]:
            labels[_picture(whole.images[entry["image_id"]][0])].add(entry["category_id"])
    frozen = {name: frozenset(found) for name, found in labels.items()}
    places = divide(frozen, shares.parts, shares.seed)
    parts: dict[str, CocoSummary] = {
        part: _part(whole, {name for name in names if places[_picture(name)] == part})
        for part in (TRAIN, *shares.parts)
    }
    for part, found in parts.items():
        lacking = [name for number, name in whole.categories if not found.objects[number]]
        told = f"; without an object of {', '.join(lacking)}" if lacking else ""
        log.info(
            "split: %s has %d images, %d objects%s",
            part,
            len(found.images),
            found.objects.total(),
            told,
        )
    return parts


def _picture(name: str) -> str:
    """The image that a variant was made from: `a_jpg.rf.0123abcd.jpg` is one of `a_jpg`."""
    return VARIANT.sub("", name)


def _part(whole: CocoSummary, names: set[str]) -> CocoSummary:
    images = {number: image for number, image in whole.images.items() if image[0] in names}
    annotations = [entry for entry in whole.annotations if entry["image_id"] in images]
    objects = Counter(entry["category_id"] for entry in annotations if not entry["iscrowd"])
    return replace(
        whole, images=images, annotations=annotations, objects=objects, boxes=len(annotations)
    )
