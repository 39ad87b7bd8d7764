"""Screen the sub search space of one component (Hit-Detector, section 3.2).

Components are screened in sequence: backbone, neck, head. Those already screened hold their sub
search space, those still to come a default operation.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.hit_detector import ScreeningConfig, SupernetSections
from pipeline.detection.builder import Surroundings
from pipeline.hit_detector.detector_screening import detector_screening
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import ComponentName


class Settings(SupernetSections):
    """What the stage uses of the config, and the component that it screens."""

    screening: ScreeningConfig
    component: ComponentName


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Learn α of the detector supernet, and remove candidates of the component step by step."""
    settings, component = stage.settings, stage.settings.component
    around = Surroundings(detector=settings.detector, normalization=settings.normalization)
    task = detector_screening(
        (component,),
        settings.supernet,
        settings.screening,
        around,
        stage.inputs,
        seed=stage.seed,
        device=stage.device,
    )
    history = run_training(stage, task, f"screening {component}", settings.screening.log_interval)
    return {
        "sub_search_space.json": json_bytes(task.results()[component]),
        "history.json": history_bytes(history),
    }


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data",), optional_inputs=("supernet", "backbone", "neck"))
