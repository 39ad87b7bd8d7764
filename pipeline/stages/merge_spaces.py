"""One sub search space for all three components (Hit-Detector, Table 4)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import PositiveInt

from pipeline.artifacts.files import json_bytes, read_json
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.hit_detector.ablations import common_space
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import COMPONENTS


class Settings(Section):
    """What the stage uses of the config: how many operations are kept."""

    keep: PositiveInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Keep the candidates that are best on average over the three screenings."""
    spaces = {
        component: read_json(stage.inputs[component] / "sub_search_space.json")
        for component in COMPONENTS
    }
    return {"sub_search_space.json": json_bytes(common_space(spaces, stage.settings.keep))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=COMPONENTS)
