"""How many images a run trains on: as the config states, or counted where the dataset is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts.annotation_file import AnnotationFileError, read_lists
from pipeline.artifacts.errors import ArtifactError
from pipeline.config.data import (
    CropsClassification,
    DetectionSource,
    EmbeddedClassification,
    EmbeddedDetection,
    ImageFolderClassification,
)
from pipeline.config.root import Config
from pipeline.errors import DetSearchError

DIGITS = 10
"""Classes of the embedded datasets."""


@dataclass(frozen=True)
class Images:
    """Numbers of images.

    Attributes:
        train: of the detection dataset.
        validated: of its val split.
        evaluated: of its test split, or of val where there is none.
        classification: training images of the classification dataset; 0 without pretraining.
    """

    train: int
    validated: int
    evaluated: int
    classification: int


def count_images(config: Config) -> Images:
    """The images of a run.

    Raises:
        DetSearchError: a dataset is not here, and the section `plan` does not state its size.
    """
    stated, detection = config.plan, config.data.detection.active
    if isinstance(detection, EmbeddedDetection):
        train = detection.train_images
        validated = detection.val_images
        evaluated = detection.test_images or validated
        boxes = round(train * sum(detection.objects_per_image) / 2)
    else:
        train = stated.train_images or _listed(detection, "train", "images", "train_images")
        validated = stated.val_images or _listed(detection, "val", "images", "val_images")
        evaluated = validated
        if "test" in detection.annotation_files:
            evaluated = stated.test_images or _listed(detection, "test", "images", "test_images")
        boxes = 0
    classification = config.data.classification.active
    match classification:
        case EmbeddedClassification():
            count = DIGITS * classification.train_images_per_class
        case CropsClassification():
            if not isinstance(detection, EmbeddedDetection) and not stated.classification_images:
                boxes = _listed(detection, "train", "annotations", "classification_images")
            count = stated.classification_images or boxes
        case ImageFolderClassification():
            count = stated.classification_images or _in_folders(Path(classification.train))
        case _:
            count = 0
    return Images(train, validated, evaluated, count)


def _listed(detection: DetectionSource, split: str, what: str, key: str) -> int:
    """Entries of a COCO file; files of another format are not counted here."""
    path = Path(detection.annotation_files[split])
    if detection.source != "coco":
        raise DetSearchError(f"{path} is no COCO file: state plan.{key} in the config")
    if not path.exists():
        raise DetSearchError(f"{path} is not here: state plan.{key} in the config")
    try:
        return len(read_lists(path)[what])
    except AnnotationFileError as error:
        raise ArtifactError(f"{path}: {error}") from None


def _in_folders(folder: Path) -> int:
    """Files in the folders of the classes."""
    if not folder.is_dir():
        raise DetSearchError(
            f"{folder} is not here: state plan.classification_images in the config"
        )
    return sum(1 for _ in folder.glob("*/*"))
