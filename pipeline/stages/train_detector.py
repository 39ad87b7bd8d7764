"""Train a detector from its architecture and its pretrained backbone (Hit-Detector, section 4.2).

Without a pretrained backbone it is trained from its initialisation.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import PositiveInt

from pipeline.artifacts.publish import Content
from pipeline.config.evaluation import TrainingConfig
from pipeline.config.pretrained import StartingSections
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.dataset import build_dataset
from pipeline.detection.detector_folder import detector_files
from pipeline.detection.start import start_backbone
from pipeline.detection.training import DetectorTraining
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import ARCHITECTURE, Architecture


class Settings(StartingSections):
    """What the stage uses of the config."""

    training: TrainingConfig
    until: PositiveInt | None = None
    """The epoch after which it ends, with the learning rates of all."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Train, validate at intervals, and publish the detector folder."""
    settings = stage.settings
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    architecture = Architecture.load(stage.inputs["architecture"] / ARCHITECTURE)
    model = build_detector(architecture, around)
    start_backbone(model, stage.inputs.get("backbone"), settings.freezing)
    classes = list(index.classes)
    train, val = index.split("train"), index.split("val")
    task = DetectorTraining(
        model.to(stage.device),
        settings.training,
        build_dataset(train, classes, settings.detector, train=True),
        (build_dataset(val, classes, settings.detector, train=False), val.annotations),
        stage.seed,
        settings.until,
    )
    history = run_training(stage, task, "detector", settings.training.log_interval)
    files = detector_files(architecture, model.state_dict(), around, classes, task.metrics)
    return {**files, "history.json": history_bytes(history)}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "architecture"), optional_inputs=("backbone",))
