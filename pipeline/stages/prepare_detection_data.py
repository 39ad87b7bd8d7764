"""Build the embedded detection dataset, or check and index the user's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.data import DetectionData, EmbeddedDetection
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.data.prepare import prepare_detection
from pipeline.detection.seen_objects import compare_with_training
from pipeline.runner.stage import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config."""

    dataset: DetectionData


def annotation_files(settings: Settings) -> Mapping[str, Path]:
    """The user's own annotation files.

    One that cannot be read is left out here; the check names it, with all other defects.
    """
    files = settings.dataset.active.annotation_files
    return {
        f"annotations.{name}": path
        for name, path in ((name, Path(file)) for name, file in files.items())
        if path.is_file() and os.access(path, os.R_OK)
    }


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Prepare the dataset in the work folder, from which it is published.

    Of a user's own dataset the objects are counted again as training sees them.
    """
    folder = stage.fresh_folder("dataset")
    dataset = stage.settings.dataset.active
    prepare_detection(dataset, folder)
    if not isinstance(dataset, EmbeddedDetection):
        index = DatasetIndex.load(folder / FILE_NAME)
        splits = {name: index.split(name) for name in index.content.splits}
        compare_with_training(splits, index.classes)
    return {".": folder}


if __name__ == "__main__":
    stage_main(run, Settings, files=annotation_files)
