"""Reading annotations that are a folder of files, one for each image (YOLO, Pascal VOC): what is used."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import yaml

from pipeline.artifacts.annotation_file import AnnotationFileError

IMAGE_ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""By which the images in a folder are told from other files; what they hold is told by their first bytes."""
LABELS, XML = ".txt", ".xml"
CLASSES = "classes.txt"
"""What labelImg writes beside the labels; no label file."""
BESIDE_LABELS = re.compile(
    r"(readme.*|train|val|valid|validation|test|notes|labels|obj)\.txt", re.I
)
"""What exports put beside labels: lists of the images, and what they are. Where no image has this name."""
NOT_OURS = ("@eadir", "__macosx")
"""Folders that systems make, beside those whose name begins with a dot: their images are previews."""


def files_below(folder: Path, *endings: str) -> list[str]:
    """Names, relative to the folder and sorted, of the files in it and below with one of the endings.

    Hidden files and folders are left out, and folders that systems make (`NOT_OURS`).
    """
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [
            name for name in folders if not name.startswith(".") and name.lower() not in NOT_OURS
        ]
        found += [
            (Path(parent) / name).relative_to(folder).as_posix()
            for name in names
            if name.lower().endswith(endings) and not name.startswith(".")
        ]
    return sorted(found)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise AnnotationFileError("there is no such file") from None
    except OSError as error:
        raise AnnotationFileError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise AnnotationFileError(
            f"is not text in UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
        ) from None


def label_files(folder: Path) -> list[str]:
    """Names of the label files in a folder and below; labelImg's list of the classes is none."""
    return [name for name in files_below(folder, LABELS) if Path(name).name != CLASSES]


def read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """The lines of a text file that are not empty: number, from 1, and what stands between the spaces.

    Raises:
        AnnotationFileError: The file is missing, cannot be read or is not text.
    """
    lines = enumerate(_text(path).splitlines(), 1)
    return [(number, line.split()) for number, line in lines if line.strip()]


@dataclass(frozen=True)
class ClassNames:
    """What is used of the file of a YOLO dataset's class names.

    Attributes:
        names: Name by class number; whether a name is a text is for the check to say.
        pose: The lines of the labels hold key points, which cannot be told from polygons.
    """

    names: dict[int, Any]
    pose: bool = False


def read_class_names(path: Path) -> ClassNames:
    """Class names in a `data.yaml`, or in a text with one name a line.

    Raises:
        AnnotationFileError: The file is missing, cannot be read, or does not hold the names.
    """
    text = _text(path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        lines = [line.strip() for line in text.rstrip().splitlines()]
        if "" in lines:
            raise AnnotationFileError(
                f"line {lines.index('') + 1} is empty, so the numbers of the classes below are not clear: "
                "one name a line, the first is class 0"
            )
        return ClassNames(dict(enumerate(lines)))
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise AnnotationFileError(f"is not YAML: {error}") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if isinstance(names, dict):
        numbered = {_whole(number): _as_text(name) for number, name in names.items()}
        if len(numbered) < len(names):
            raise AnnotationFileError("has a class number twice, once as a text")
        names = numbered
    if not isinstance(names, dict) or not all(type(n) is int and n >= 0 for n in names):
        raise AnnotationFileError(
            "has no `names`: a list of the class names, or a mapping of their numbers, from 0, to them"
        )
    if (
        said := next((name for name in names.values() if isinstance(name, bool)), None)
    ) is not None:
        raise AnnotationFileError(
            f"has a name that is {str(said).lower()}: YAML reads yes, no, on and off so; write it in quotes"
        )
    stated = _whole(content.get("nc", len(names)))
    if stated != len(names):
        raise AnnotationFileError(f"has {len(names)} names, and says nc: {stated}")
    return ClassNames(names, "kpt_shape" in content)


def _whole(value: Any) -> Any:
    """The number that a text of digits is; all else as it is."""
    return (
        int(value)
        if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII)
        else value
    )


def _as_text(name: Any) -> Any:
    """A name that YAML reads as a number, as a text."""
    return str(name) if type(name) in (int, float) else name


@dataclass(frozen=True)
class VocObject:
    """One `object` of an XML file; the texts as they stand there, None where there is none.

    Attributes:
        line: Where it begins, from 1.
        name: Of its class.
        difficult: As a text.
        corners: xmin, ymin, xmax, ymax.
    """

    line: int
    name: str | None
    difficult: str | None
    corners: tuple[str | None, ...]


@dataclass(frozen=True)
class VocFile:
    """What is used of an XML file.

    Attributes:
        filename: Of its image.
        size: Width and height, as texts.
        objects: In the file's order.
    """

    filename: str | None
    size: tuple[str | None, str | None]
    objects: tuple[VocObject, ...]


CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(path: Path) -> VocFile:
    """Read an annotation file of Pascal VOC.

    Raises:
        AnnotationFileError: The file is missing, cannot be read, is not XML, declares a document type
            (entities could be of any size), or its root is no `annotation`.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AnnotationFileError("there is no such file") from None
    except OSError as error:
        raise AnnotationFileError(f"cannot be read: {error.strerror}") from None
    root = _parsed(content)
    if root.tag != "annotation":
        raise AnnotationFileError(
            f"is not in Pascal VOC's format: its root is <{root.tag}>, not <annotation>"
        )
    size = root.first("size")
    objects = [
        VocObject(
            each.line,
            each.text_of("name"),
            each.text_of("difficult"),
            tuple(box.text_of(name) if box else None for name in CORNERS),
        )
        for each in root.children
        if each.tag == "object"
        for box in (each.first("bndbox"),)
    ]
    width, height = (size.text_of(name) if size else None for name in ("width", "height"))
    return VocFile(root.text_of("filename"), (width, height), tuple(objects))


@dataclass
class _Element:
    tag: str
    line: int
    text: str = ""
    children: list[_Element] = field(default_factory=list)

    def first(self, tag: str) -> _Element | None:
        return next((child for child in self.children if child.tag == tag), None)

    def text_of(self, tag: str) -> str | None:
        child = self.first(tag)
        return None if child is None else child.text.strip() or None


def _parsed(content: bytes) -> _Element:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = _Element("", 0)
    open_elements = [top]

    def start(tag: str, _attributes: Mapping[str, str]) -> None:
        element = _Element(tag, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_tag: str) -> None:
        open_elements.pop()

    def text(data: str) -> None:
        open_elements[-1].text += data

    def doctype(*_: Any) -> None:
        raise AnnotationFileError(
            "declares a document type, which is not read: remove <!DOCTYPE …>"
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError) as error:
        raise AnnotationFileError(f"is not XML: {error}") from None
    return top.children[0]
