"""The version of a user's annotations: of what is used of them, whatever else a file or folder holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts.annotation_file import AnnotationFileError, read_lists
from pipeline.artifacts.digest import bytes_digest, file_digest
from pipeline.artifacts.label_folder import (
    IMAGE_ENDINGS,
    XML,
    files_below,
    label_files,
    read_class_names,
    read_lines,
    read_voc,
)

AnnotationFormat = Literal["coco", "yolo", "voc"]


def is_readable(path: Path) -> bool:
    """Whether there is such a file or folder, which this process may read."""
    return (path.is_file() or path.is_dir()) and os.access(path, os.R_OK)


def annotation_version(path: Path, kind: AnnotationFormat) -> str:
    """The version of an annotation file or folder: the digest of what is used of it.

    Two that differ in their heads, masks or layout have the same one. That of a file which is no COCO file
    is the digest of its bytes; of a folder, a file that cannot be read counts as such.

    Args:
        path: A COCO file; of YOLO a folder of labels, of images (their names) or of both, or the file of the
            class names; of Pascal VOC a folder of XML files, or the list of a split.
        kind: The format.

    Raises:
        ArtifactError: the file is missing or unreadable.
    """
    if kind == "yolo":
        return _yolo(path)
    if kind == "voc":
        return _voc(path)
    try:
        lists = read_lists(path)
    except AnnotationFileError:
        return file_digest(path)
    return bytes_digest(json.dumps(lists, sort_keys=True, separators=(",", ":")).encode())


def _yolo(path: Path) -> str:
    """The version of a folder of labels, of images (their names), of both; or of the class names' file."""
    if path.is_file():
        return _digest(lambda: vars(read_class_names(path)))
    labels = label_files(path)
    return _digest(
        lambda: {
            "labels": dict(_read_all(path, labels, lambda file: [f for _, f in read_lines(file)])),
            "images": files_below(path, *IMAGE_ENDINGS),
        }
    )


def _voc(path: Path) -> str:
    """The version of a folder of XML files, or of a list of their names."""
    if path.is_file():
        return _digest(lambda: [fields for _, fields in read_lines(path)])

    def used(file: Path) -> Any:
        content = read_voc(file)
        objects = [[each.name, each.difficult, each.corners] for each in content.objects]
        return [content.filename, content.size, objects]

    return _digest(lambda: dict(_read_all(path, files_below(path, XML), used)))


def _read_all(
    folder: Path, names: list[str], read: Callable[[Path], Any]
) -> Iterator[tuple[str, Any]]:
    """What is used of each file; of one that cannot be read, why: its check says so."""
    for name in names:
        try:
            yield name, read(folder / name)
        except AnnotationFileError as error:
            yield name, f"error: {error}"


def _digest(content: Callable[[], Any]) -> str:
    try:
        used = content()
    except AnnotationFileError as error:
        used = f"error: {error}"
    return bytes_digest(json.dumps(used, sort_keys=True, default=repr).encode())
