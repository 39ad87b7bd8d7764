"""Build the embedded detection dataset, or check and index the user's own COCO-format one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.data import CocoDetection, DetectionData
from pipeline.data.prepare import prepare_detection
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config."""

    dataset: DetectionData


def annotation_files(settings: Settings) -> Mapping[str, Path]:
    """The annotations of each split: another content under the same name is another version.

    A file that cannot be read is left out here; the check names it, with all other defects.
    """
    dataset = settings.dataset.active
    if not isinstance(dataset, CocoDetection):
        return {}
    paths = {name: Path(split.annotations) for name, split in dataset.splits.items()}
    return {
        f"annotations.{name}": path
        for name, path in paths.items()
        if path.is_file() and os.access(path, os.R_OK)
    }


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Prepare the dataset in the work folder, from which it is published."""
    folder = stage.fresh_folder("dataset")
    prepare_detection(stage.settings.dataset.active, folder)
    return {".": folder}


if __name__ == "__main__":
    stage_main(run, Settings, files=annotation_files)
