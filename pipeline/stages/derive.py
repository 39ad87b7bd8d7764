"""Decode the searched architecture: in each layer the operation with the highest score (section 3.3).

With a budget: the operations that are the most probable together, among those that keep it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import PositiveFloat

from pipeline.artifacts.files import json_bytes, read_json
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.supernet import CostSetting
from pipeline.hit_detector.search import derive
from pipeline.hit_detector.spaces import SUPERNET
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, Architecture


class Budget(Section):
    """What the network may cost, and at how many RoIs that is counted."""

    max_gmacs: PositiveFloat
    proposals: CostSetting


class Settings(Section):
    """What the stage uses of the config."""

    budget: Budget | None = None


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read the scores and the supernet's architecture; publish the network's."""
    folder, budget = stage.inputs["search"], stage.settings.budget
    supernet = Architecture.load(folder / SUPERNET)
    space = None
    if budget:
        # not at the top: it imports mmdet, for seconds
        from pipeline.hit_detector.budget import path_space

        space = path_space(supernet, budget.proposals, budget.max_gmacs)
    architecture = derive(supernet, read_json(folder / "scores.json"), space)
    return {ARCHITECTURE: json_bytes(architecture.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("search",))
