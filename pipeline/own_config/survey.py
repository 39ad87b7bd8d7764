"""What is in a user's checked data, as far as sizes and lengths of trainings hang on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median, median_high

from pipeline.config.distillation import Resolution
from pipeline.config.own_detection import OwnDetection
from pipeline.data.coco import check_detection
from pipeline.data.coco_summary import CocoSummary

SPLIT_FOLDERS = ("train", "training", "val", "valid", "validation", "test", "testing")
"""What people call the folders of splits."""


@dataclass(frozen=True)
class SizedObject:
    """An object: the square root of its box's area, and both sides of its image, in pixels of the image."""

    size: float
    longest: int
    shortest: int

    def at(self, resolution: Resolution) -> float:
        """The size where its image is resized to fit longest and shortest side, as detectors do."""
        return self.size * min(resolution[0] / self.longest, resolution[1] / self.shortest)


@dataclass(frozen=True)
class Survey:
    """What there is.

    Attributes:
        images: of each split, with those that are cut.
        trained: images of train with a box: trainings of detectors see no others.
        classes: the objects of each in all splits, by its name, in the order of the file.
        division: the folders of images that are called as splits are, where the images lie in several.
        objects: of all splits.
        with_objects: images of all splits that hold one.
        longest: side of the images, the median of all splits, pixels.
        shortest: the same.
        upright: whether more images are higher than wide than the other way round.
    """

    images: Mapping[str, int]
    trained: int
    classes: Mapping[str, int]
    division: Sequence[str]
    objects: Sequence[SizedObject]
    with_objects: int
    longest: int
    shortest: int
    upright: bool

    @classmethod
    def of(cls, summaries: Mapping[str, CocoSummary]) -> Survey:
        """From the checked splits."""
        sizes = [
            (width, height)
            for summary in summaries.values()
            for _, width, height in summary.images.values()
        ]
        objects = list(chain.from_iterable(map(_objects, summaries.values())))
        return cls(
            images={split: len(summary.images) for split, summary in summaries.items()},
            trained=len(summaries["train"].with_boxes()),
            classes={
                name: sum(summary.objects[number] for summary in summaries.values())
                for number, name in summaries["train"].categories
            },
            division=_division(summaries.values()),
            objects=objects,
            with_objects=sum(len(_with_objects(summary)) for summary in summaries.values()),
            longest=median_high(map(max, sizes)),
            shortest=median_high(map(min, sizes)),
            upright=sum(h > w for w, h in sizes) > sum(w > h for w, h in sizes),
        )

    @property
    def objects_per_image(self) -> float:
        """Mean over the images that hold one."""
        return len(self.objects) / self.with_objects

    def median_object(self, resolution: Resolution) -> float:
        """Pixels that half of the objects have at a resolution: the square root of the box's area."""
        return median(each.at(resolution) for each in self.objects)


def look_at(detection: OwnDetection) -> Survey:
    """Check the data as the run does, and look at them; of the images only the heads are read.

    Raises:
        DatasetError: lists every defect.
    """
    return Survey.of(check_detection(detection.model_copy(update={"verify_images": "header"})))


def _division(summaries: Iterable[CocoSummary]) -> Sequence[str]:
    names = (name for summary in summaries for name, _, _ in summary.images.values())
    folders = {first for name in names for first, deeper, _ in [name.partition("/")] if deeper}
    called = sorted(folder for folder in folders if folder.lower() in SPLIT_FOLDERS)
    return called if len(called) > 1 else ()


def _with_objects(summary: CocoSummary) -> set[int]:
    return {entry["image_id"] for entry in summary.annotations if not entry["iscrowd"]}


def _objects(summary: CocoSummary) -> Sequence[SizedObject]:
    found = []
    for entry in summary.annotations:
        if not entry["iscrowd"]:
            _, width, height = summary.images[entry["image_id"]]
            size = math.sqrt(entry["bbox"][2] * entry["bbox"][3])
            found.append(SizedObject(size, max(width, height), min(width, height)))
    return found
