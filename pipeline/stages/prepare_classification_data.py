"""Build a classification dataset (embedded, or crops of boxes), or check and index an ImageFolder."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.data import ClassificationData
from pipeline.data.prepare import prepare_classification
from pipeline.runner.stage import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config."""

    dataset: ClassificationData


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Prepare the dataset in the work folder, from which it is published."""
    folder = stage.fresh_folder("dataset")
    prepare_classification(
        stage.settings.dataset.active, folder, detection=stage.inputs.get("detection")
    )
    return {".": folder}


if __name__ == "__main__":
    stage_main(run, Settings, optional_inputs=("detection",))
