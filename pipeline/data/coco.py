"""Check a COCO-format dataset: every defect of all its files is found, and reported at once.

What may differ from COCO's own files: `iscrowd`, `area` and `segmentation` may be absent, and whatever is
not used (`info`, `licenses`, further keys) is not looked at. Ids must be whole numbers from 0, which COCO
evaluators rely on. What passes has a normal form (`normal_form`), which everything else reads.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from pipeline.artifacts.annotation_file import (
    AnnotationFileError,
    read_lists,
    shortened,
    text_problem,
)
from pipeline.config.image_limits import MOST_PIXELS
from pipeline.config.own_detection import OwnDetection
from pipeline.data.against_train import against_train, wrong_classes
from pipeline.data.boxes import OUTSIDE, TOO_SMALL, WITHOUT_AREA, Box, misread, problem
from pipeline.data.coco_summary import CocoSummary
from pipeline.data.cut_splits import cut_splits
from pipeline.data.defects import DatasetError, Defect, summarise
from pipeline.data.division import DivisionError
from pipeline.data.formats import translate
from pipeline.data.image_names import missing_reason, outside
from pipeline.data.images import VerifyImages, read_sizes
from pipeline.data.translated import Places, Translated

log = logging.getLogger(__name__)

# Kinds of which `data.detection.tolerated_boxes` allows a share.
TOLERABLE = (WITHOUT_AREA, TOO_SMALL, OUTSIDE)


def _is_id(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**63


def _is_number(value: Any) -> TypeGuard[float]:
    return type(value) is float or (type(value) is int and abs(value) < 2**63)


def _is_extent(value: Any) -> TypeGuard[float]:
    return _is_number(value) and value > 0 and float(value).is_integer()


def _is_flag(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and value in (0, 1))


class _Check:
    """The check of one split; `defects` and `summary` grow as its parts run."""

    def __init__(
        self, annotations: Path, images: Path, split: str, places: Places | None = None
    ) -> None:
        self.file, self.folder, self.split = annotations, images, split
        self.places = places or {}  # of a file for each image
        self.defects: list[Defect] = []
        self.summary = CocoSummary()

    def report(self, kind: str, item: str, detail: str, file: Path | None = None) -> None:
        if item in self.places:
            file, item = (file, "") if file else self.places[item]
        self.defects.append(Defect(kind, self.split, file or self.file, item, detail))

    def read(self) -> dict[str, list[Any]] | None:
        """The file's three lists, or None (and a defect) where it is no COCO file."""
        try:
            return read_lists(self.file)
        except AnnotationFileError as error:
            return self.report("annotation file", "", str(error))

    def entries(self, values: list[Any], name: str) -> list[tuple[dict[str, Any], str]]:
        """The entries of a list with a usable and new id, each with what to call it."""
        sound, seen = [], set()
        for position, entry in enumerate(values):
            if not isinstance(entry, dict):
                self.report("malformed entry", f"{name} number {position}", "is not an object")
            elif not _is_id(entry.get("id")):
                detail = f"its id is {shortened(entry.get('id'))}, not a whole number from 0"
                self.report("malformed entry", f"{name} number {position}", detail)
            elif entry["id"] in seen:
                detail = f"number {position} of the list has an id that an earlier one has"
                self.report(f"duplicate {name} id", f"{name} {entry['id']}", detail)
            else:
                seen.add(entry["id"])
                sound.append((entry, f"{name} {entry['id']}"))
        return sound

    def categories(self, values: list[Any]) -> None:
        names: dict[str, int] = {}
        if not values:
            self.report("empty split", "", "it lists no categories")
        for entry, item in self.entries(values, "category"):
            name: Any = entry.get("name")
            if wrong := text_problem(name):
                self.report("malformed entry", item, f"its name {wrong}")
                continue
            if name in names:
                detail = f"has the name {name!r} of category {names[name]}"
                self.report("duplicate category name", item, detail)
            names.setdefault(name, entry["id"])
            self.summary.categories.append((entry["id"], name))

    def image_entries(self, values: list[Any]) -> None:
        if not values:
            self.report("empty split", "", "it lists no images")
        for entry, item in self.entries(values, "image"):
            name: Any = entry.get("file_name")
            width, height = entry.get("width"), entry.get("height")
            if wrong := text_problem(name):
                self.report("malformed entry", item, f"its file_name {wrong}")
            elif not (_is_extent(width) and _is_extent(height)):
                size = f"{shortened(width)} x {shortened(height)}"
                detail = f"its size is {size}, not two whole numbers above 0"
                self.report("malformed entry", item, detail)
            else:
                self.summary.images[entry["id"]] = (name, int(width), int(height))

    def annotations(self, values: list[Any], image_ids: set[Any], category_ids: set[Any]) -> None:
        """Check all annotations; the ids are those listed, be their entries sound or not."""
        self.summary.boxes = len(values)
        if not values:
            return self.report("empty split", "", "it lists no annotations")
        before, ignored = len(self.defects), 0
        boxes: list[tuple[dict[str, Any], Box]] = []
        for entry, item in self.entries(values, "annotation"):
            image_id, category_id = entry.get("image_id"), entry.get("category_id")
            if not _is_id(image_id) or image_id not in image_ids:
                detail = f"its image_id is {shortened(image_id)}, which no image has"
                self.report("unknown image id", item, detail)
            if not _is_id(category_id) or category_id not in category_ids:
                detail = f"its category_id is {shortened(category_id)}, which no category has"
                self.report("unknown category id", item, detail)
            for key in ("iscrowd", "ignore"):
                if not _is_flag(entry.get(key)):
                    detail = f"its {key} is {shortened(entry[key])}, not 0 or 1"
                    self.report("malformed entry", item, detail)
            ignored += bool(entry.get("ignore")) and not entry.get("iscrowd")
            crowd = bool(entry.get("iscrowd") or entry.get("ignore"))
            if not crowd and _is_id(category_id):
                self.summary.objects[category_id] += 1
            box = self.box(item, entry, crowd)
            area = self.area(item, entry, box)
            if box is not None:
                normal = {"id": entry["id"], "image_id": image_id, "category_id": category_id}
                normal |= {"bbox": list(box.values), "area": area, "iscrowd": int(crowd)}
                boxes.append((normal, box))
        self.judge(boxes)
        if ignored:
            log.warning(
                "%s: %d annotations have ignore: 1, and count as crowd regions: training and "
                "evaluation pass over them",
                self.file,
                ignored,
            )
        if len(self.defects) == before and not self.summary.objects.total():
            self.report("empty split", "", "none of its images has an object, only crowd regions")
        return None

    def judge(self, boxes: list[tuple[dict[str, Any], Box]]) -> None:
        """Look at all boxes together, then at each; the usable ones are the normal form."""
        other = None if self.places else misread([box for _, box in boxes])
        if other:
            return self.report(other[0], "", other[1])
        named = {number for number, _ in self.summary.categories}
        for normal, box in boxes:
            if wrong := problem(box):
                self.report(wrong[0], box.item, wrong[1])
            if box.usable or box.crowd:
                if box.image and _is_id(normal["category_id"]) and normal["category_id"] in named:
                    self.summary.annotations.append(normal)
            elif _is_id(normal["category_id"]):
                self.summary.objects[normal["category_id"]] -= 1
        return None

    def area(self, item: str, entry: dict[str, Any], box: Box | None) -> float:
        """The object's area; that of its box where the file does not say (exports without masks)."""
        area = entry.get("area")
        if area is None or (_is_number(area) and area == 0):
            return box.values[2] * box.values[3] if box else 0
        if not _is_number(area) or not math.isfinite(area) or area < 0:
            detail = f"its area is {shortened(area)}, not a finite number from 0"
            self.report("malformed box", item, detail)
            return 0
        return area

    def box(self, item: str, entry: dict[str, Any], crowd: bool) -> Box | None:
        box, image_id = entry.get("bbox"), entry.get("image_id")
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
            detail = f"its bbox is {shortened(box)}, not the four numbers x, y, width, height"
            return self.report("malformed box", item, detail)
        if not all(map(math.isfinite, box)):
            return self.report("malformed box", item, f"its bbox {box} is not finite")
        x, y, width, height = box
        if width < 0 or height < 0:
            return self.report("malformed box", item, f"its bbox {box} has a negative extent")
        image = self.summary.images.get(image_id) if _is_id(image_id) else None
        known = image and (f"image {image_id} ({image[0]}", image[1], image[2])
        return Box(item, (x, y, width, height), known, crowd)

    def image_files(self, verify: VerifyImages, most_pixels: int) -> None:
        if not self.folder.is_dir():
            detail = "there is no such folder"
            return self.report("image folder", "", detail, self.folder)
        images = self.summary.images
        log.info("Reading the %d images of %s (%s)", len(images), self.split, verify)
        paths = [self.folder / name for name, _, _ in images.values()]
        sizes = read_sizes(paths, verify, most_pixels)
        for (image_id, (_, *stated)), path, size in zip(images.items(), paths, sizes, strict=True):
            item = f"image {image_id}"
            if size is None:
                reason = missing_reason(self.folder, images[image_id][0])
                self.report("missing image", item, reason, path)
            elif isinstance(size, str):
                self.report("unreadable image", item, size, path)
            elif size != tuple(stated):
                file, _ = self.places.get(item, (self.file, ""))
                detail = f"is {size[0]} x {size[1]}, but {file} says {stated[0]} x {stated[1]}"
                if size == tuple(stated[::-1]):
                    detail += "; its EXIF orientation may turn it: boxes count on the upright image"
                self.report("image size", item, detail, path)
        if elsewhere := outside(self.folder, paths):
            log.warning(
                "%s: %d images of %s lie outside of %s, by links or names: the first is %s",
                self.file,
                len(elsewhere),
                self.split,
                self.folder,
                elsewhere[0],
            )
        return None


def inspect_coco(
    annotations: Path,
    images: Path,
    split: str,
    verify_images: VerifyImages = "decode",
    most_pixels: int = MOST_PIXELS,
) -> tuple[CocoSummary | None, list[Defect]]:
    """As `check_coco`, with the file's summary (None where it could not be read as COCO)."""
    check = _Check(annotations, images, split)
    content = check.read()
    if content is None:
        return None, check.defects
    return _inspected(check, content, verify_images, most_pixels)


def inspect_translated(
    found: Translated, annotations: Path, images: Path, verify_images: VerifyImages, most: int
) -> tuple[CocoSummary | None, list[Defect]]:
    """As `inspect_coco`, of a split in another format: both what its reader found and what the check does."""
    if found.defects and not found.lists["images"]:
        return None, found.defects
    check = _Check(annotations, images, found.split, found.places)
    summary, defects = _inspected(check, found.lists, verify_images, most)
    if found.defects:  # what is empty may be so because of them
        defects = [defect for defect in defects if defect.kind != "empty split"]
    return summary, [*found.defects, *defects]


def _inspected(
    check: _Check, content: Mapping[str, list[Any]], verify_images: VerifyImages, most_pixels: int
) -> tuple[CocoSummary, list[Defect]]:
    listed = {
        key: {
            entry["id"]
            for entry in content[key]
            if isinstance(entry, dict) and _is_id(entry.get("id"))
        }
        for key in ("images", "categories")
    }
    check.categories(content["categories"])
    check.image_entries(content["images"])
    check.annotations(content["annotations"], listed["images"], listed["categories"])
    check.image_files(verify_images, most_pixels)
    return check.summary, check.defects


def check_coco(
    annotations: Path, images: Path, split: str, verify_images: VerifyImages = "decode"
) -> list[Defect]:
    """Find every defect of one split of a COCO-format dataset.

    Args:
        annotations: COCO instances file.
        images: Folder that the images' `file_name` starts at.
        split: What to call the split in the defects.
        verify_images: `decode` reads every image wholly, `header` only the beginning of the files.

    Returns:
        All defects, in the order of the file; empty where the split is sound.
    """
    return inspect_coco(annotations, images, split, verify_images)[1]


Further = Callable[[Mapping[str, CocoSummary]], Sequence[Defect]]
"""What else is found of the splits that could be read, told in the same list."""


def check_detection(
    config: OwnDetection, further: Further = lambda summaries: ()
) -> dict[str, CocoSummary]:
    """Check every split of a dataset, and each against the training split; cut those that have no files.

    Args:
        config: Where the dataset lies, and what may be wrong with it.
        further: A further check.

    Returns:
        The summaries of `train`, `val` and, where it is given, `test`.

    Raises:
        DatasetError: Lists every defect found in any file.
    """
    summaries: dict[str, CocoSummary] = {}
    defects: list[Defect] = []
    translated = translate(config)
    for split, paths in config.splits.items():
        file, images = Path(paths.annotations), Path(paths.images)
        limits = config.verify_images, config.most_pixels
        summary, found = (
            inspect_translated(translated[split], file, images, *limits)
            if translated
            else inspect_coco(file, images, split, *limits)
        )
        if summary is not None:
            summaries[split] = summary
            tolerable = [defect for defect in found if defect.kind in TOLERABLE]
            if tolerable and len(tolerable) <= config.tolerated_boxes * summary.boxes:
                log.warning(
                    "data.detection.tolerated_boxes lets these pass. %s", summarise(tolerable)
                )
                found = [defect for defect in found if defect.kind not in TOLERABLE]
        defects += found
    if "train" in summaries:
        if config.split and not defects:
            try:
                summaries |= cut_splits(summaries["train"], config.split)
            except DivisionError as error:
                file = Path(config.train.annotations)
                key = f"data.detection.{config.source}.split"
                defects.append(Defect("division", "train", file, key, str(error)))
        for split in config.splits:
            if split != "train" and split in summaries:
                defects += against_train(config, summaries["train"], split, summaries[split])
        defects += wrong_classes(config, summaries["train"])
        defects += further(summaries)
    if defects:
        raise DatasetError(defects)
    return {split: summaries[split] for split in config.split_names}
