"""Train a detector at several resolutions, with a teacher of the pool or alone (Joint-DetNAS, section 3.3).

The teacher, where `--pool` is given, is the pool's largest net with recalibrated batch statistics.
Without it this is the standard training that the paper's baselines have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.artifacts.publish import Content
from pipeline.config.distillation import StudentTrainingConfig
from pipeline.config.pretrained import StartingSections
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.detector_folder import detector_files
from pipeline.detection.start import start_backbone
from pipeline.distillation.training import student_training
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.teacher_pool.pool import largest_teacher


class Settings(StartingSections):
    """What the stage uses of the config; without a teacher there is nothing to recalibrate."""

    training: StudentTrainingConfig
    recalibration: Recalibration | None


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Train, validate at every resolution, publish the detector folder."""
    settings, training = stage.settings, stage.settings.training
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    classes = list(index.classes)
    architecture = Architecture.load(stage.inputs["architecture"] / ARCHITECTURE)
    teacher: Any = None
    if "pool" in stage.inputs:
        assert settings.recalibration is not None
        teacher = largest_teacher(
            stage.inputs["pool"],
            around,
            index,
            settings.recalibration,
            training.resolutions,
            stage.device,
        )
    student = build_detector(architecture, around)
    start_backbone(student, stage.inputs.get("backbone"), settings.freezing)
    student.to(stage.device)
    task = student_training(student, teacher, training, index, settings.detector, stage.seed)
    history = run_training(stage, task, "student", training.log_interval)
    metrics = {"format": 1, "resolutions": task.metrics}
    files = detector_files(architecture, student.state_dict(), around, classes, metrics)
    return {**files, "history.json": history_bytes(history)}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "architecture"), optional_inputs=("pool", "backbone"))
