"""How many images, boxes and classes the annotations of a user's own dataset list."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts.annotation_file import AnnotationFileError, read_lists
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.label_folder import (
    IMAGE_ENDINGS,
    XML,
    files_below,
    label_files,
    read_class_names,
    read_lines,
    read_voc,
)
from pipeline.config.own_detection import OwnDetection, SplitName, VocDetection, YoloDetection
from pipeline.errors import DetSearchError

What = Literal["images", "annotations", "categories"]


def count_entries(detection: OwnDetection, split: SplitName, what: What, key: str) -> int:
    """Entries of a split's annotations.

    Args:
        detection: The dataset.
        split: One that has files of its own.
        what: To count.
        key: Of the section `plan`, which states the number where the files are not here.

    Raises:
        DetSearchError: The files are not here.
        ArtifactError: They cannot be read.
    """
    lies: Any = detection.splits[split]
    path = Path(lies.annotations)
    if not path.exists():
        raise DetSearchError(f"{path} is not here: state plan.{key} in the config")
    try:
        if isinstance(detection, YoloDetection):
            return _yolo(detection, path, Path(lies.images), what)
        if isinstance(detection, VocDetection):
            return _voc(path, Path(lies.image_set) if lies.image_set else None, what)
        return len(read_lists(path)[what])
    except AnnotationFileError as error:
        raise ArtifactError(f"{path}: {error}") from None


def _yolo(detection: YoloDetection, labels: Path, images: Path, what: What) -> int:
    if what == "categories":
        return len(read_class_names(Path(detection.names)).names)
    if what == "images":
        return len(files_below(images, *IMAGE_ENDINGS))
    return sum(len(read_lines(labels / name)) for name in label_files(labels))


def _voc(folder: Path, image_set: Path | None, what: What) -> int:
    names = files_below(folder, XML)
    if image_set is not None:
        names = [f"{fields[0]}{XML}" for _, fields in read_lines(image_set)]
    if what == "images":
        return len(names)
    objects = [each for name in names for each in read_voc(folder / name).objects]
    return len(objects) if what == "annotations" else len({each.name for each in objects})
