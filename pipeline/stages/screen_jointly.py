"""Screen the sub search spaces of backbone, neck and head at once (Hit-Detector, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.hit_detector import ScreeningConfig, SupernetSections
from pipeline.detection.builder import Surroundings
from pipeline.hit_detector.detector_screening import detector_screening
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import COMPONENTS


class Settings(SupernetSections):
    """What the stage uses of the config."""

    screening: ScreeningConfig


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Learn α of a supernet that holds all candidates everywhere, and remove some of each component."""
    settings = stage.settings
    around = Surroundings(detector=settings.detector, normalization=settings.normalization)
    task = detector_screening(
        COMPONENTS,
        settings.supernet,
        settings.screening,
        around,
        stage.inputs,
        seed=stage.seed,
        device=stage.device,
    )
    history = run_training(stage, task, "joint screening", settings.screening.log_interval)
    spaces = {f"{name}.json": json_bytes(space) for name, space in task.results().items()}
    return {**spaces, "history.json": history_bytes(history)}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data",), optional_inputs=("supernet",))
