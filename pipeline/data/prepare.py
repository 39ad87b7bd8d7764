"""Put a dataset into a folder, or check one that lies elsewhere, and index it."""

from pathlib import Path

from pipeline.config.data import (
    CheckpointClassification,
    ClassificationSource,
    CocoDetection,
    DetectionSource,
    EmbeddedClassification,
    EmbeddedDetection,
    ImageFolderClassification,
    NoClassification,
)
from pipeline.data.coco import Further, check_detection
from pipeline.data.crops import write_crops
from pipeline.data.embedded import (
    SPLITS,
    detection_splits,
    write_classification,
    write_detection,
)
from pipeline.data.image_folder import check_classification
from pipeline.data.index import FILE_NAME, ClassificationContent, DatasetIndex, DetectionContent
from pipeline.errors import DetSearchError


def _write(content: DetectionContent | ClassificationContent, folder: Path) -> None:
    (folder / FILE_NAME).write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


def prepare_detection(
    config: DetectionSource, folder: Path, further: Further = lambda summaries: ()
) -> None:
    """Write `dataset.json` into `folder`, and beside it the embedded dataset, or normal annotations.

    Args:
        config: The section `data.detection`.
        folder: An existing, empty folder.
        further: A further check, as of `check_detection`.

    Raises:
        DatasetError: Lists every defect of the dataset. Nothing has been written then.
    """
    if isinstance(config, EmbeddedDetection):
        write_detection(config, folder)
        # Checked like anybody's, and counted by the same code.
        written = CocoDetection.model_validate(
            {"verify_images": "header"}
            | {
                split: {
                    "annotations": str(folder / "annotations" / f"{split}.json"),
                    "images": str(folder / "images" / split),
                }
                for split in detection_splits(config)
            }
        )
        summaries = check_detection(written, further)
        splits = {
            split: {"annotations": f"annotations/{split}.json", "images": f"images/{split}"}
            for split in detection_splits(config)
        }
    else:
        summaries = check_detection(config, further)
        (folder / "annotations").mkdir()
        for split, summary in summaries.items():
            summary.write(folder / "annotations" / f"{split}.json")
        splits = {
            split: {
                "annotations": f"annotations/{split}.json",
                "images": str(Path(config.images(split)).absolute()),
            }
            for split in config.split_names
        }
    content = {
        "source": config.source,
        "classes": [name for _, name in summaries["train"].categories],
        "splits": splits,
        "statistics": {split: summary.statistics() for split, summary in summaries.items()},
    }
    _write(DetectionContent.model_validate(content), folder)


def prepare_classification(
    config: ClassificationSource,
    folder: Path,
    detection: Path | None = None,
) -> None:
    """Write `dataset.json` into `folder`, and images that are made for the dataset beside it.

    Args:
        config: The section `data.classification`.
        folder: An existing, empty folder.
        detection: Folder of the prepared detection dataset, for crops of its boxes.

    Raises:
        DatasetError: Lists every defect of the dataset. No index has been written then.
        DetSearchError: The section describes no dataset.
    """
    if isinstance(config, CheckpointClassification | NoClassification):
        raise DetSearchError(
            f"data.classification.source is {config.source}: there is no dataset to prepare"
        )
    if not isinstance(config, ImageFolderClassification):
        if isinstance(config, EmbeddedClassification):
            write_classification(config, folder)
        elif detection is None:
            raise DetSearchError("crops are made of a prepared detection dataset: none is given")
        else:
            write_crops(config, DatasetIndex.load(detection / FILE_NAME), folder)
        written = ImageFolderClassification(
            train=str(folder / "train"),
            val=str(folder / "val"),
            verify_images="header",
        )
        classes, counts = check_classification(written)
        splits = {split: {"folder": split} for split in SPLITS}
    else:
        classes, counts = check_classification(config)
        splits = {
            "train": {"folder": str(Path(config.train).absolute())},
            "val": {"folder": str(Path(config.val).absolute())},
        }
    content = {
        "source": config.source,
        "classes": classes,
        "splits": splits,
        "statistics": {split: {"images": count} for split, count in counts.items()},
    }
    _write(ClassificationContent.model_validate(content), folder)
