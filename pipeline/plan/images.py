"""How many images a run trains on: as the config states, or counted where the dataset is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config.data import (
    CropsClassification,
    EmbeddedClassification,
    EmbeddedDetection,
    ImageFolderClassification,
)
from pipeline.config.own_detection import OwnDetection, SplitName
from pipeline.config.root import Config
from pipeline.errors import DetSearchError
from pipeline.plan.own_data import count_entries

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
        numbers = {
            split: getattr(stated, f"{split}_images") or _own_images(detection, split)
            for split in detection.split_names
        }
        train, validated = numbers["train"], numbers["val"]
        evaluated = numbers.get("test", validated)
        boxes = 0
    classification = config.data.classification.active
    match classification:
        case EmbeddedClassification():
            count = DIGITS * classification.train_images_per_class
        case CropsClassification():
            if not isinstance(detection, EmbeddedDetection) and not stated.classification_images:
                boxes = _crops(detection, classification)
            count = stated.classification_images or boxes
        case ImageFolderClassification():
            count = stated.classification_images or _in_folders(Path(classification.train))
        case _:
            count = 0
    return Images(train, validated, evaluated, count)


def _own_images(detection: OwnDetection, split: SplitName) -> int:
    """The images of a split of the user's own, be it cut from train."""
    key = f"{split}_images"
    if split in detection.splits and not (split == "train" and detection.cut):
        return count_entries(detection, split, "images", key)
    whole = count_entries(detection, "train", "images", key)
    parts = {part: max(1, round(share * whole)) for part, share in detection.cut.items()}
    return parts[split] if split in parts else whole - sum(parts.values())


def _crops(detection: OwnDetection, settings: CropsClassification) -> int:
    """About how many training crops the boxes of a dataset of the user's own give."""
    key = "classification_images"
    boxes = count_entries(detection, "train", "annotations", key)
    boxes = round(boxes * (1 - sum(detection.cut.values())))
    if not settings.background:
        return boxes
    classes = count_entries(detection, "train", "categories", key)
    if settings.background == "auto" and classes > 1:
        return boxes
    return boxes + boxes // max(1, classes)


def _in_folders(folder: Path) -> int:
    """Files in the folders of the classes."""
    if not folder.is_dir():
        raise DetSearchError(
            f"{folder} is not here: state plan.classification_images in the config"
        )
    return sum(1 for _ in folder.glob("*/*"))
