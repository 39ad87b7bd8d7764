"""Build the embedded detection dataset, or check and index the user's own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.artifacts.annotation_version import is_readable
from pipeline.artifacts.manifest import ReadAs
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.data import DetectionData, EmbeddedDetection
from pipeline.data.coco import CocoSummary
from pipeline.data.dataset_demands import detection_defects
from pipeline.data.defects import FILE as DEFECTS
from pipeline.data.defects import Defect, whole_list
from pipeline.data.demands import Demands, remarks
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.data.prepare import prepare_detection
from pipeline.detection.seen_objects import compare_with_training
from pipeline.runner.stage import Stage, stage_main

log = logging.getLogger("detsearch")


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
        if is_readable(path)
    }


def read_as(settings: Settings) -> ReadAs:
    """The format of these files."""
    return "bytes" if settings.dataset.source == "embedded" else settings.dataset.source


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Prepare the dataset in the work folder, from which it is published.

    Of a user's own dataset the objects are counted again as training sees them. What the run's trainings
    ask of the data, and the data do not allow, stands in the list of defects.
    """
    folder = stage.fresh_folder("dataset")
    dataset = stage.settings.dataset.active
    demands = Demands.read(stage.run_folder)
    annotations = Path(dataset.annotation_files.get("train", folder / "annotations/train.json"))

    def further(summaries: Mapping[str, CocoSummary]) -> Sequence[Defect]:
        defects, there = detection_defects(demands, summaries, annotations)
        for told in remarks(demands, there):
            log.warning("%s", told)
        return defects

    with whole_list(stage.run_folder / "logs" / f"{stage.name}.{DEFECTS}"):
        prepare_detection(dataset, folder, further)
    if not isinstance(dataset, EmbeddedDetection):
        index = DatasetIndex.load(folder / FILE_NAME)
        splits = {name: index.split(name) for name in index.content.splits}
        compare_with_training(splits, index.classes)
    return {".": folder}


if __name__ == "__main__":
    stage_main(run, Settings, files=annotation_files, read_as=read_as)
