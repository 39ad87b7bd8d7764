"""Draw a finalist by the search's probabilities; number 0 is the most probable network."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import NonNegativeInt, PositiveFloat

from pipeline.artifacts.files import json_bytes, read_json
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.supernet import CostSetting
from pipeline.hit_detector.budget import path_space
from pipeline.hit_detector.finalists import draw_finalist
from pipeline.hit_detector.spaces import SUPERNET
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, Architecture


class Settings(Section):
    """What the stage uses of the config, and the finalist's number."""

    max_gmacs: PositiveFloat | None
    proposals: CostSetting
    number: NonNegativeInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read the scores and the supernet's architecture; publish the finalist's."""
    settings, folder = stage.settings, stage.inputs["search"]
    supernet, scores = Architecture.load(folder / SUPERNET), read_json(folder / "scores.json")
    space = path_space(supernet, settings.proposals, settings.max_gmacs)
    network = draw_finalist(supernet, scores, space, seed=stage.seed, number=settings.number)
    return {ARCHITECTURE: json_bytes(network.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("search",))
