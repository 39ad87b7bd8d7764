"""Annotations in YOLO's format: of each image a text file, a line an object, in fractions of the image."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.artifacts.annotation_file import AnnotationFileError
from pipeline.artifacts.label_folder import (
    BESIDE_LABELS,
    IMAGE_ENDINGS,
    ClassNames,
    files_below,
    label_files,
    read_class_names,
    read_lines,
)
from pipeline.config.own_detection import SplitName, YoloDetection, YoloSplit
from pipeline.data.defects import DatasetError, Defect
from pipeline.data.images import read_sizes
from pipeline.data.translated import ImageNames, Translated, stem

log = logging.getLogger(__name__)

BOX, LEAST_POLYGON = 5, 7
"""Numbers in the line of a box: class, x, y of its middle, width, height; in that of a triangle."""
BEYOND = 0.5
"""By how much a number may lie out of 0 to 1 to be judged as a fraction."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_CLASS = re.compile(r"\d{1,9}(\.0*)?\Z", re.ASCII)


def translate_yolo(config: YoloDetection) -> dict[SplitName, Translated]:
    """Read all splits: what could be read, and the defects.

    The boxes of polygons (segmentation) are those around them. An image without a label file has no
    objects; the log says how many have none. Every other line that is no object is a defect.

    Raises:
        DatasetError: The class names cannot be read.
    """
    file = Path(config.names)
    try:
        classes = read_class_names(file)
    except AnnotationFileError as error:  # without the names every line would be a defect
        raise DatasetError([Defect("class names", "train", file, "", str(error))]) from None
    found: dict[SplitName, Translated] = {}
    for name, split in config.splits.items():
        found[name] = result = Translated(name)
        for number, class_name in sorted(classes.names.items()):
            result.category(number, class_name, file, f"class {number}")
        _Reader(split, classes, result, config.most_pixels).read()
    return found


class _Reader:
    """The reading of one split into `result`."""

    def __init__(
        self, split: YoloSplit, classes: ClassNames, result: Translated, most_pixels: int
    ) -> None:
        self.labels, self.images = Path(split.annotations), Path(split.images)
        self.classes, self.result, self.most_pixels = classes, result, most_pixels
        self.polygons = 0

    def read(self) -> None:
        for folder, what in ((self.labels, "label folder"), (self.images, "image folder")):
            if not folder.is_dir():
                self.result.report(what, folder, "", "there is no such folder")
                return
        names = ImageNames(self.images, files_below(self.images, *IMAGE_ENDINGS))
        files = {stem(name): self.labels / name for name in label_files(self.labels)}
        for wanted, file in files.items():
            if not names.of(wanted) and BESIDE_LABELS.fullmatch(file.name):
                log.warning("%s: passed over, as no labels: no image has its name", file)
            elif not names.of(wanted):
                self.result.report("missing image", file, "", names.missing(wanted))
            elif len(names.of(wanted)) > 1:
                both = " and ".join(names.of(wanted))
                detail = f"belongs to {both}: give them different names"
                self.result.report("ambiguous image", file, "", detail)
        self._images(names, files)
        if self.polygons:
            log.info(
                "%s: %d lines hold polygons; the box around each is taken",
                self.labels,
                self.polygons,
            )

    def _images(self, names: ImageNames, files: dict[str, Path]) -> None:
        paths = [self.images / name for name in names.names]
        without: list[str] = []
        sizes = read_sizes(paths, "header", self.most_pixels)
        for name, path, size in zip(names.names, paths, sizes, strict=True):
            file = files.get(stem(name))
            if not isinstance(size, tuple):
                reason = size or "the file vanished while it was checked"
                self.result.report("unreadable image", path, "", reason)
                size = (0, 0)
                image = 0
            else:
                image = self.result.image(name, size, file or path)
            if file is None:
                without.append(name)
            else:
                self._lines(file, image, size)
        if without:
            log.warning(
                "%s: %d of %d images have no label file, and count as images without objects: %s, say",
                self.labels,
                len(without),
                len(paths),
                without[0],
            )

    def _lines(self, file: Path, image: int, size: tuple[int, int]) -> None:
        """Read a label file; of an image that cannot be read (0), for its defects only."""
        try:
            lines = read_lines(file)
        except AnnotationFileError as error:
            self.result.report("label file", file, "", str(error))
            return
        width, height = size
        for number, fields in lines:
            item = f"line {number}"
            if wrong := self._wrong(fields):
                self.result.report("malformed line", file, item, wrong)
                continue
            values = [float(text) for text in fields[1:]]
            if len(fields) == BOX:
                x, y, across, down = values
                left, upper = x - across / 2, y - down / 2
            else:
                self.polygons += 1
                left, upper = min(values[::2]), min(values[1::2])
                across, down = max(values[::2]) - left, max(values[1::2]) - upper
            if image:
                box = (left * width, upper * height, across * width, down * height)
                self.result.box(image, int(float(fields[0])), box, file, item, ignore=False)

    def _wrong(self, fields: Sequence[str]) -> str:
        """Why a line is no object; empty where it is one."""
        count = len(fields)
        if count < BOX:
            return f"holds {count} values, not the five class, x, y, width, height"
        if count == BOX + 1:
            return (
                "holds six values, and an object has five: class, x, y, width, height; a sixth is the "
                "confidence of a detection: remove it where these are annotations"
            )
        if count > BOX and (count < LEAST_POLYGON or count % 2 == 0):
            return f"holds {count} values: neither a box (5) nor the points of a polygon (7, 9, …)"
        if count > BOX and self.classes.pose:
            return (
                "holds key points (the class names' file has kpt_shape): keep the first five values"
            )
        if not _CLASS.match(fields[0]):
            return f"its class is {fields[0]!r}, not a whole number from 0"
        if (number := int(float(fields[0]))) not in self.classes.names:
            return f"its class is {number}, which the file of the class names does not have"
        for text in fields[1:]:
            if not _NUMBER.match(text):
                return f"holds {text!r}, which is no number"
        values = [float(text) for text in fields[1:]]
        far = next((value for value in values if not -BEYOND <= value <= 1 + BEYOND), None)
        if far is not None:
            return (
                f"holds {far:g}, and x, y, width and height are fractions of the image, from 0 to 1: where "
                "they are pixels, divide them by its width and height"
            )
        if count == BOX and min(values[2:]) < 0:
            return f"its width or height is negative: {fields[3]}, {fields[4]}"
        return ""
