"""Annotations in Pascal VOC's format: of each image an XML file, with the corners of its objects."""

from __future__ import annotations

import logging
import math
from collections import Counter
from pathlib import Path

from pipeline.artifacts.annotation_file import AnnotationFileError, text_problem
from pipeline.artifacts.label_folder import (
    CORNERS,
    IMAGE_ENDINGS,
    XML,
    VocFile,
    VocObject,
    files_below,
    read_lines,
    read_voc,
)
from pipeline.config.own_detection import SplitName, VocDetection, VocSplit
from pipeline.data.images import read_sizes
from pipeline.data.translated import ImageNames, Translated, stem

log = logging.getLogger(__name__)


def translate_voc(config: VocDetection) -> dict[SplitName, Translated]:
    """Read all splits: what could be read, and the defects.

    Classes are `classes` of the config, or all names that occur in any split, sorted. Objects that are
    `difficult` count as regions which training and evaluation pass over; the log says how many.
    """
    readers: dict[SplitName, _Reader] = {
        name: _Reader(split, Translated(name), config) for name, split in config.splits.items()
    }
    for reader in readers.values():
        reader.read()
    occurring = sum((reader.occurring for reader in readers.values()), Counter[str]())
    numbers = {name: n for n, name in enumerate(sorted(config.classes or occurring), 1)}
    if not config.classes:
        told = ", ".join(f"{name} ({occurring[name]})" for name in numbers)
        log.info("Classes in the XML files, with their objects: %s", told or "none")
    for reader in readers.values():
        for name, number in numbers.items():
            reader.result.category(number, name, reader.folder, f"class {name}")
        reader.write(numbers)
    return {name: reader.result for name, reader in readers.items()}


class _Reader:
    """The reading of one split into `result`.

    Attributes:
        occurring: How many objects every class has, by its name.
    """

    def __init__(self, split: VocSplit, result: Translated, config: VocDetection) -> None:
        self.folder, self.images = Path(split.annotations), Path(split.images)
        self.image_set = Path(split.image_set) if split.image_set else None
        self.result, self.config = result, config
        self.occurring: Counter[str] = Counter()
        self.files: list[tuple[Path, VocFile, str]] = []
        """XML file, its content, and the name of its image."""

    def read(self) -> None:
        """Read the files, and find their images."""
        for folder, what in ((self.folder, "annotation folder"), (self.images, "image folder")):
            if not folder.is_dir():
                self.result.report(what, folder, "", "there is no such folder")
                return
        images = ImageNames(self.images, files_below(self.images, *IMAGE_ENDINGS))
        names = self._names()
        if not names and not self.result.defects:
            self.result.report("empty split", self.folder, "", "it holds no XML files")
        taken: dict[str, Path] = {}
        for name in names:
            file = self.folder / name
            try:
                content = read_voc(file)
            except AnnotationFileError as error:
                self.result.report("annotation file", file, "", str(error))
                continue
            self.occurring.update(each.name for each in content.objects if each.name)
            image = self._image(file, content, images.of(stem(name)), images.missing(stem(name)))
            if image is None:
                continue
            if image in taken:
                detail = f"is about the image {image}, as {taken[image]} is"
                self.result.report("two files of one image", file, "", detail)
            taken.setdefault(image, file)
            self.files.append((file, content, image))

    def _names(self) -> list[str]:
        """The XML files of the split."""
        names = files_below(self.folder, XML)
        if self.image_set is None:
            return names
        try:
            lines = read_lines(self.image_set)
        except AnnotationFileError as error:
            self.result.report("image set", self.image_set, "", str(error))
            return []
        there, listed = {stem(name): name for name in names}, dict[str, int]()
        for number, fields in lines:
            item = f"line {number}"
            if len(fields) > 1:
                detail = "holds more than a name; the lists without a class in their name do not"
                self.result.report("image set", self.image_set, item, detail)
            elif fields[0] not in there:
                detail = f"there is no {fields[0]}{XML} in {self.folder}"
                self.result.report("image set", self.image_set, item, detail)
            elif fields[0] in listed:
                detail = f"names {fields[0]}, as line {listed[fields[0]]} does"
                self.result.report("image set", self.image_set, item, detail)
            else:
                listed[fields[0]] = number
        if not lines:
            self.result.report("empty split", self.image_set, "", "it names no files")
        return [there[name] for name in sorted(listed)]

    def _image(self, file: Path, content: VocFile, found: list[str], missing: str) -> str | None:
        """The image of an XML file: of the same name, as VOC has it, or that which it names."""
        if len(found) == 1:
            return found[0]
        stated = content.filename
        if stated and (stated in found or (not found and (self.images / stated).is_file())):
            return stated
        if found:
            detail = f"belongs to {' and '.join(found)}: say which in <filename>"
            self.result.report("ambiguous image", file, "", detail)
        else:
            told = f", and no {stated}, which its <filename> says" if stated else ""
            self.result.report("missing image", file, "", missing + told)
        return None

    def write(self, numbers: dict[str, int]) -> None:
        """Put the images and their objects into the lists."""
        unknown = [image for _, content, image in self.files if _size(content) is None]
        paths = [self.images / image for image in unknown]
        measured = read_sizes(paths, "header", self.config.most_pixels)
        sizes = dict(zip(unknown, measured, strict=True))
        difficult = 0
        for file, content, name in self.files:
            size = _size(content) or sizes[name]
            if not isinstance(size, tuple):
                reason = size or "the file vanished while it was checked"
                self.result.report("unreadable image", self.images / name, "", reason)
            image = self.result.image(name, size, file) if isinstance(size, tuple) else 0
            for each in content.objects:
                item = f"line {each.line}"
                if wrong := self._wrong(each, numbers):
                    self.result.report(wrong[0], file, item, wrong[1])
                elif image and each.name:
                    box = self._box(each)
                    hard = each.difficult == "1"
                    difficult += hard
                    self.result.box(image, numbers[each.name], box, file, item, ignore=hard)
        if difficult:
            log.info("%s: %d objects are difficult: read as ignore: 1", self.folder, difficult)

    def _wrong(self, each: VocObject, numbers: dict[str, int]) -> tuple[str, str] | None:
        """What is wrong with an object: (kind, detail); None where it can be translated."""
        if told := text_problem(each.name):
            return "malformed object", f"its <name> {told}"
        if each.name not in numbers:
            known = ", ".join(numbers)
            return "unknown class", f"its class {each.name!r} is not in classes ({known})"
        if each.difficult not in (None, "0", "1"):
            return "malformed object", f"its <difficult> is {each.difficult!r}, not 0 or 1"
        values: dict[str, float] = {}
        for key, text in zip(CORNERS, each.corners, strict=True):
            try:
                values[key] = float(text or "")
            except ValueError:
                values[key] = math.nan
            if not math.isfinite(values[key]):
                shown = "is missing" if text is None else f"is {text!r}, not a number"
                return "malformed box", f"<{key}> in its <bndbox> {shown}"
        for low, high in (("xmin", "xmax"), ("ymin", "ymax")):
            if values[high] < values[low]:
                detail = f"its {high} {values[high]:g} is less than its {low} {values[low]:g}"
                return "malformed box", detail
            if values[low] < self.config.first_pixel == 1:
                return "corner before the first pixel", (
                    f"its {low} is {values[low]:g}, and pixels are counted from 1: where corners are "
                    "coordinates from 0, write data.detection.voc.first_pixel: 0"
                )
        return None

    def _box(self, each: VocObject) -> tuple[float, float, float, float]:
        """x, y, width, height in pixels, from 0."""
        left, upper, right, lower = (float(text or "nan") for text in each.corners)
        first = self.config.first_pixel
        return left - first, upper - first, right - left + first, lower - upper + first


def _size(content: VocFile) -> tuple[int, int] | None:
    """The image's size as the file says it; None where it does not (some tools write 0)."""
    try:
        width, height = (int(text or "0") for text in content.size)
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None
