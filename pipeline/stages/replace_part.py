"""A baseline with one component replaced by the searched one (Hit-Detector, Table 5)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.hit_detector.ablations import with_searched
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, Architecture, ComponentName


class Settings(Section):
    """The component that is replaced; the stage uses nothing of the config."""

    component: ComponentName


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Put the searched component into the baseline."""
    mixed = with_searched(
        Architecture.load(stage.inputs["baseline"] / ARCHITECTURE),
        Architecture.load(stage.inputs["searched"] / ARCHITECTURE),
        stage.settings.component,
    )
    return {ARCHITECTURE: json_bytes(mixed.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("baseline", "searched"))
