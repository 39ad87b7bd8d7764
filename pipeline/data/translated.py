"""A split of another format as the lists of a COCO file, which the same check reads; and where all stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.data.defects import Defect
from pipeline.data.image_names import composed

LABEL_FOLDER, IMAGE_FOLDER = "labels", "images"
"""The two folders, side by side, of most datasets in YOLO's format."""
Places = dict[str, tuple[Path, str]]
"""Where an entry stands in the user's files, by what the check calls it (`annotation 12`)."""


def _empty_lists() -> dict[str, list[Any]]:
    return {"images": [], "annotations": [], "categories": []}


@dataclass
class Translated:
    """One split.

    Attributes:
        split: Its name.
        lists: `images`, `annotations` and `categories`, as in a COCO file.
        places: Where their entries stand.
        defects: What could not be translated, and is left out of the lists.
    """

    split: str
    lists: dict[str, list[Any]] = field(default_factory=_empty_lists)
    places: Places = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)

    def report(self, kind: str, file: Path, item: str, detail: str) -> None:
        """Add a defect."""
        self.defects.append(Defect(kind, self.split, file, item, detail))

    def category(self, number: int, name: Any, file: Path, item: str) -> None:
        """Add a class; its name is checked with the others."""
        self.lists["categories"].append({"id": number, "name": name})
        self.places[f"category {number}"] = (file, item)

    def image(self, name: str, size: tuple[int, int], file: Path) -> int:
        """Add an image by its name in the image folder, and the file of its annotations; returns its id."""
        number = len(self.lists["images"]) + 1
        width, height = size
        entry = {"id": number, "file_name": name, "width": width, "height": height}
        self.lists["images"].append(entry)
        self.places[f"image {number}"] = (file, "")
        return number

    def box(
        self, image: int, category: int, bbox: Sequence[float], file: Path, item: str, ignore: bool
    ) -> None:
        """Add an annotation.

        Args:
            image: Its image's id.
            category: Its class's id.
            bbox: x, y, width, height, pixels.
            file: Where it stands.
            item: And there: the line, say.
            ignore: Training and evaluation pass over it.
        """
        number = len(self.lists["annotations"]) + 1
        # hundredths of a pixel: six digits of a fraction say no more, and 0.99998 pixels are 1
        entry: dict[str, Any] = {"id": number, "image_id": image, "category_id": category}
        entry["bbox"] = [round(value, 2) for value in bbox]
        self.lists["annotations"].append(entry | ({"ignore": 1} if ignore else {}))
        self.places[f"annotation {number}"] = (file, item)


class ImageNames:
    """The images of a folder, by their names without ending.

    Attributes:
        folder: The folder.
        names: Of its images, relative to it, sorted.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names
        self._by_stem: dict[str, list[str]] = {}
        for name in names:
            self._by_stem.setdefault(stem(name), []).append(name)
        self._folded = {found.casefold(): found for found in self._by_stem}

    def of(self, wanted: str) -> list[str]:
        """The images of this name, with whatever ending."""
        return self._by_stem.get(wanted, [])

    def missing(self, wanted: str) -> str:
        """A sentence about an image that is not there, with what may be meant."""
        told = f"there is no image {wanted}.* in {self.folder}"
        for other, form in composed(wanted):
            if other in self._by_stem:
                return f"{told}, but one whose name is the same in another Unicode form ({form}): rename one"
        if other := self._folded.get(wanted.casefold()):
            return f"{told}, but {self._by_stem[other][0]!r}: capital and small letters differ"
        parts = wanted.split("/")
        beside = "/".join(IMAGE_FOLDER if part == LABEL_FOLDER else part for part in parts)
        if beside in self._by_stem:
            image = self._by_stem[beside][0]
            return (
                f"{told}, but {image!r}: name folder {LABEL_FOLDER!r} for annotations, {IMAGE_FOLDER!r} for "
                "images"
            )
        found = self._elsewhere.get(PurePosixPath(wanted).name, [])
        if len(found) == 1:
            return f"{told}, but {found[0]!r}: labels and images lie in folders of the same names"
        return told

    @cached_property
    def _elsewhere(self) -> dict[str, list[str]]:
        """The images by their name without folders and ending."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(PurePosixPath(stem(name)).name, []).append(name)
        return found


def stem(name: str) -> str:
    """A relative name without its ending."""
    head, dot, _ = name.rpartition(".")
    return head if dot else name
