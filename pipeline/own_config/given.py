"""Where a user's data lie, as typed on a command line: the section `data.detection` of a config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts.annotation_file import AnnotationFileError
from pipeline.artifacts.label_folder import (
    CLASSES,
    LABELS,
    XML,
    files_below,
    label_files,
    read_class_names,
)
from pipeline.config.own_detection import SplitName
from pipeline.console import one_line
from pipeline.errors import DetSearchError

Source = Literal["coco", "yolo", "voc"]
FORMATS: Mapping[Source, str] = {
    "coco": "COCO's format",
    "yolo": "YOLO's format",
    "voc": "Pascal VOC's format",
}
NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml", CLASSES, "obj.names")
"""Files of YOLO's class names, as labelling tools and trainings call them."""
SHARE = 0.2
"""Of the images, for each split that is cut from `train`."""


@dataclass(frozen=True)
class Given:
    """What a user typed; paths stay texts, so that a config holds them as they were given.

    Attributes:
        splits: annotations and images of `train`, and of `val` and `test` where they have files.
        source: the format; None: told from what is there.
        names: file of YOLO's class names; None: one of `NAMES` beside the labels or the images.
        first_pixel: of Pascal VOC's corners; None: the config's default.
        tolerated_boxes: share of boxes that may be unusable; None: the config's default.
    """

    splits: Mapping[SplitName, tuple[str, str]]
    source: Source | None = None
    names: str | None = None
    first_pixel: int | None = None
    tolerated_boxes: float | None = None

    def section(self) -> dict[str, Any]:
        """The section `data.detection`; the content of the files is not looked at.

        Raises:
            DetSearchError: the format, or the file of class names, cannot be told; an option belongs to
                another format; or two splits of YOLO's have one folder of images.
        """
        source = self.source or source_of(self.splits["train"][0])
        content: dict[str, Any] = {}
        if source == "yolo":
            self._refuse_one_folder()
            content["names"] = self.names or self._names()
        elif self.names:
            raise DetSearchError(
                f"--names is for YOLO's format, and these are in {FORMATS[source]}"
            )
        if self.first_pixel is not None and source != "voc":
            raise DetSearchError(
                f"--first-pixel is for Pascal VOC's format, and these are in {FORMATS[source]}"
            )
        content |= {
            split: {"annotations": annotations, "images": images}
            for split, (annotations, images) in self.splits.items()
        }
        if "val" not in self.splits:
            shares = {"val": SHARE} if "test" in self.splits else {"val": SHARE, "test": SHARE}
            content["split"] = {**shares, "seed": 0}
        for key in ("first_pixel", "tolerated_boxes"):
            if getattr(self, key) is not None:
                content[key] = getattr(self, key)
        return {"source": source, source: content}

    def _refuse_one_folder(self) -> None:
        """In YOLO's format all images of a folder belong to the split, those without a label file, too."""
        folders: dict[Path, SplitName] = {}
        for split, (_, images) in self.splits.items():
            other = folders.setdefault(Path(images).resolve(), split)
            if other != split:
                raise DetSearchError(
                    f"{split} and {other} have one folder of images, {images}: in YOLO's format the folder "
                    f"says which images are of a split; give another one with --{split}-images, or leave "
                    f"--{split}-annotations out, so that a part of the images is cut for it"
                )

    def _names(self) -> str:
        """The file of the class names beside the labels or the images; all that lie there have to agree."""
        folders = list(dict.fromkeys(_folders(*self.splits["train"])))
        found = [path for folder in folders for name in NAMES if (path := folder / name).is_file()]
        if not found:
            raise DetSearchError(
                f"no file of the class names: there is no {', '.join(NAMES[:-1])} or {NAMES[-1]} in "
                f"{', '.join(map(str, folders))}; write one name a line into a text, the first is class 0, "
                "and give it with --names"
            )
        readings = {path: _class_names(path) for path in found}
        sound = {path: names for path, names in readings.items() if names is not None}
        for path, names in sound.items():
            first = next(iter(sound))
            if names != sound[first]:
                here, there = (one_line(", ".join(sound[each].values())) for each in (first, path))
                raise DetSearchError(
                    f"{first} and {path} have different class names or numbers ({here}; {there}): say with "
                    "--names which file is right"
                )
        return str(next(iter(sound or readings)))


def source_of(annotations: str) -> Source:
    """The format that annotations are in, by the endings of the files.

    Raises:
        DetSearchError: there are none, or of two formats.
    """
    path, told = Path(annotations), f"--annotations {annotations}"
    if path.is_file():
        if path.suffix.lower() == ".json":
            return "coco"
        if path.suffix.lower() in (".yaml", ".yml"):
            raise DetSearchError(
                f"{told} is YOLO's list of classes: give it with --names, and the folder of the labels here"
            )
        raise DetSearchError(
            f"{told} is a file, and not .json: COCO's annotations are one JSON file, YOLO's a folder of "
            f"{LABELS}, Pascal VOC's a folder of {XML}"
        )
    if not path.is_dir():
        raise DetSearchError(f"{told}: there is no such file or folder (here is {Path.cwd()})")
    labels, xml = label_files(path), files_below(path, XML)
    if labels and xml:
        raise DetSearchError(
            f"{told} holds {labels[0]} and {xml[0]}: name the folder of the annotations alone, or say which "
            "they are with --source yolo or --source voc"
        )
    if labels or xml:
        return "yolo" if labels else "voc"
    files = files_below(path, ".json")
    meant = f"; COCO's annotations are one file: {path / files[0]}, say" if files else ""
    raise DetSearchError(
        f"{told} is a folder without {LABELS} (YOLO) and {XML} (Pascal VOC) in it{meant}"
    )


def _class_names(path: Path) -> dict[int, str] | None:
    """The class names in a file, by their numbers; None where it cannot be read, which the check tells."""
    try:
        names = read_class_names(path).names
    except AnnotationFileError:
        return None
    return {number: str(names[number]) for number in sorted(names)}


def _folders(annotations: str, images: str) -> Iterator[Path]:
    """Where YOLO's class names may lie: `labels/train` and `images/train` often have them two above."""
    for text in (annotations, images):
        folder = Path(text)
        yield from (folder, folder.parent, folder.parent.parent)
