"""Upgrade the search's student: a cascade of heads, deformable convolutions, further epochs with a teacher.

Joint-DetNAS, section 4.2.3. The teacher is the pool's largest net with recalibrated batch statistics; of
the cascade, its first stage is distilled. The result is a detector folder like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, load_weights
from pipeline.config.detector import DetectorSections
from pipeline.config.teacher_pool import Recalibration
from pipeline.config.upgrade import UpgradeConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.detector_folder import detector_files, detector_resolution
from pipeline.distillation.training import student_training
from pipeline.morphism.upgrade import upgrade
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.supernet.weights import load_strictly
from pipeline.teacher_pool.pool import largest_teacher


class Settings(DetectorSections):
    """What the stage uses of the config."""

    upgrade: UpgradeConfig
    recalibration: Recalibration


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Upgrade, train, validate at every resolution, publish the detector folder."""
    settings, folder = stage.settings, stage.inputs["detector"]
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    architecture, weights = upgrade(
        Architecture.load(folder / ARCHITECTURE),
        load_weights(folder / WEIGHTS)[0],
        settings.upgrade.deformable_stages,
        settings.upgrade.cascade,
    )
    model: Any = build_detector(architecture, around)
    load_strictly(model, weights, folder / WEIGHTS)
    teacher = largest_teacher(
        stage.inputs["pool"],
        around,
        index,
        settings.recalibration,
        settings.upgrade.training.resolutions,
        stage.device,
    )
    training = settings.upgrade.training
    task = student_training(
        model.to(stage.device), teacher, training, index, settings.detector, stage.seed
    )
    history = run_training(stage, task, "upgraded detector", training.log_interval)
    files = detector_files(
        architecture,
        model.state_dict(),
        around,
        index.classes,
        {"format": 1, "resolutions": task.metrics},
        detector_resolution(folder),
    )
    return {**files, "history.json": history_bytes(history)}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "detector", "pool"))
