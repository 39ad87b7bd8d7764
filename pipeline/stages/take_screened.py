"""Take one component's sub search space out of the joint screening (Hit-Detector, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes, read_json
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.hit_detector import ScreeningConfig
from pipeline.errors import DetSearchError
from pipeline.hit_detector.screening import component_history
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes
from pipeline.search_space.architecture import ComponentName


class Settings(Section):
    """What the stage uses of the config, and the component that it takes."""

    screening: ScreeningConfig
    component: ComponentName


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Publish the component's space and curves as its own screening would have."""
    component, joint = stage.settings.component, stage.inputs["joint"]
    space = read_json(joint / f"{component}.json")
    keep = getattr(stage.settings.screening.keep, component)
    if len(space["kept"]) != keep:
        raise DetSearchError(
            f"{joint / f'{component}.json'} keeps {len(space['kept'])} operations, "
            f"but screening.keep.{component} is {keep}"
        )
    records = read_json(joint / "history.json")["records"]
    return {
        "sub_search_space.json": json_bytes(space),
        "history.json": history_bytes(component_history(records, component)),
    }


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("joint",))
