"""Screen the sub search space of one component (Hit-Detector, section 3.2).

Components are screened in sequence: backbone, neck, head. Those already screened hold their sub
search space, those still to come a default operation.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.detector import DetectorConfig, Normalization
from pipeline.config.hit_detector import ScreeningConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings
from pipeline.hit_detector.detection import SupernetData, detection_supernet
from pipeline.hit_detector.screening import Screening
from pipeline.hit_detector.spaces import screening_operations
from pipeline.search_space.architecture import COMPONENTS, ComponentName
from pipeline.stages.base import Stage, history_bytes, stage_main


class Settings(Section):
    """What the stage uses of the config, and the component that it screens."""

    supernet: SupernetConfig
    normalization: Normalization
    detector: DetectorConfig
    screening: ScreeningConfig
    component: ComponentName


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Learn α of the detector supernet, and remove candidates of the component step by step."""
    settings, component = stage.settings, stage.settings.component
    around = Surroundings(detector=settings.detector, normalization=settings.normalization)
    data = SupernetData.load(stage.inputs["data"], around, settings.screening, stage.seed)
    supernet = detection_supernet(
        settings.supernet,
        settings.supernet.screening_depth,
        screening_operations(component, settings.screening, stage.inputs),
        around,
        classes=len(data.classes),
        backbone=stage.inputs.get("supernet"),
        paths={
            name: settings.screening.paths if name == component else settings.screening.held_paths
            for name in COMPONENTS
        },
        device=stage.device,
    )
    task = Screening(
        component,
        getattr(settings.screening.keep, component),
        supernet.model,
        settings.screening,
        supernet.choices,
        data.loss,
        data.streams,
    )
    history = stage.train(task, f"screening {component}", settings.screening.log_interval)
    return {
        "sub_search_space.json": json_bytes(task.result()),
        "history.json": history_bytes(history),
    }


if __name__ == "__main__":
    stage_main(
        run,
        Settings,
        inputs=("data",),
        optional_inputs=("supernet", "backbone", "neck"),
    )
