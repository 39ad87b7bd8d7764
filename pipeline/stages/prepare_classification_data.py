"""Build a classification dataset (embedded, or crops of boxes), or check and index an ImageFolder."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.data import ClassificationData, CropsClassification
from pipeline.data.defects import FILE as DEFECTS
from pipeline.data.defects import DatasetError, whole_list
from pipeline.data.demands import Counts, Demands, defects_of, remarks
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.data.prepare import prepare_classification
from pipeline.runner.stage import Stage, stage_main

log = logging.getLogger("detsearch")


class Settings(Section):
    """What the stage uses of the config."""

    dataset: ClassificationData


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Prepare the dataset in the work folder, from which it is published."""
    folder = stage.fresh_folder("dataset")
    dataset = stage.settings.dataset.active
    with whole_list(stage.run_folder / "logs" / f"{stage.name}.{DEFECTS}"):
        prepare_classification(dataset, folder, detection=stage.inputs.get("detection"))
        index = DatasetIndex.load(folder / FILE_NAME)
        demands = Demands.read(stage.run_folder)
        there = Counts.of_statistics(None, index.statistics["train"])
        if defects := defects_of(demands, there, index.folder("train")):
            raise DatasetError(defects)
    if not isinstance(dataset, CropsClassification):  # those were told with the boxes
        for told in remarks(demands, there):
            log.warning("%s", told)
    return {".": folder}


if __name__ == "__main__":
    stage_main(run, Settings, optional_inputs=("detection",))
