"""Train a detector further from its weights, pruned before or not, with the pool's largest net or alone.

Joint-DetNAS, Tables 2, 4 and 5: `percentage` prunes so many channels; with `--target` the detector is pruned
until it computes no more than that one, and is used at the same resolution; with `--lineage` it is trained
for as many epochs as that student and its ancestors together. The result is a detector folder like any
other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.artifacts.weights import WEIGHTS, load_weights
from pipeline.config.detector import DetectorSections
from pipeline.config.distillation import StudentTrainingConfig
from pipeline.config.hill_climb import Percentage
from pipeline.config.supernet import CostSetting
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.detection.detector_folder import detector_files, detector_resolution
from pipeline.distillation.training import student_training
from pipeline.hill_climb.records import Evaluation
from pipeline.morphism.budget import prune_within
from pipeline.morphism.channels import prune_channels
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.supernet.weights import load_strictly
from pipeline.teacher_pool.pool import largest_teacher

STUDENT = "student.json"
"""The file in the student's folder that tells how it came about."""

STEP = 2.0
"""Percent of the channels that leave at once on the way to a target: the result is that close to it."""


class Settings(DetectorSections):
    """What the stage uses of the config; only a teacher is recalibrated."""

    training: StudentTrainingConfig
    proposals: CostSetting
    recalibration: Recalibration | None
    percentage: Percentage | None


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Prune, train, validate at every resolution, publish the detector folder."""
    settings = stage.settings
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    architecture, weights = _pruned(stage)
    student: Any = build_detector(architecture, around)
    load_strictly(student, weights, stage.inputs["detector"] / WEIGHTS)
    teacher: Any = None
    if "pool" in stage.inputs:
        assert settings.recalibration is not None
        teacher = largest_teacher(
            stage.inputs["pool"],
            around,
            index,
            settings.recalibration,
            settings.training.resolutions,
            stage.device,
        )
    training = settings.training
    if "lineage" in stage.inputs:
        student_record = read_as(stage.inputs["lineage"] / STUDENT, Evaluation)
        training = training.model_copy(update={"epochs": student_record.epochs})
    task = student_training(
        student.to(stage.device), teacher, training, index, settings.detector, stage.seed
    )
    history = run_training(stage, task, "refined detector", training.log_interval)
    target = stage.inputs.get("target")
    files = detector_files(
        architecture,
        student.state_dict(),
        around,
        index.classes,
        {"format": 1, "epochs": training.epochs, "resolutions": task.metrics},
        detector_resolution(target) if target else None,
    )
    return {**files, "history.json": history_bytes(history)}


def _pruned(stage: Stage[Settings]) -> tuple[Architecture, Mapping[str, Any]]:
    """The detector that is trained, as architecture and weights."""
    settings, folder = stage.settings, stage.inputs["detector"]
    architecture = Architecture.load(folder / ARCHITECTURE)
    weights, _ = load_weights(folder / WEIGHTS)
    if settings.percentage is not None:
        return prune_channels(architecture, weights, settings.percentage)
    if "target" not in stage.inputs:
        return architecture, weights
    target = Architecture.load(stage.inputs["target"] / ARCHITECTURE)

    def macs(network: Architecture) -> int:
        return detector_complexity(network, settings.proposals).total.macs

    same_size = architecture.model_copy(update={"input_size": target.input_size})
    return prune_within(same_size, weights, macs(target), macs, STEP)


if __name__ == "__main__":
    stage_main(
        run,
        Settings,
        inputs=("data", "detector"),
        optional_inputs=("pool", "target", "lineage"),
    )
