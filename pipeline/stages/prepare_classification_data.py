"""Build the embedded classification dataset, or check and index the user's own ImageFolder."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.data import ClassificationData
from pipeline.data.prepare import prepare_classification
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config."""

    dataset: ClassificationData


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Prepare the dataset in the work folder, from which it is published."""
    folder = stage.fresh_folder("dataset")
    prepare_classification(stage.settings.dataset.active, folder)
    return {".": folder}


if __name__ == "__main__":
    stage_main(run, Settings)
