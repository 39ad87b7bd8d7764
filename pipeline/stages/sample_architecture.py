"""Draw a random architecture of the searched one's cost from the sub search spaces."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import NonNegativeInt

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.ablations import Matching
from pipeline.config.base import Section
from pipeline.config.supernet import CostSetting
from pipeline.hit_detector.random_networks import random_network
from pipeline.hit_detector.spaces import kept_operations
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS, Architecture


class Settings(Section):
    """What the stage uses of the config, and the network's number."""

    matching: Matching
    proposals: CostSetting
    number: NonNegativeInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Publish the architecture; its number and its MACs are noted in its provenance."""
    settings = stage.settings
    network = random_network(
        Architecture.load(stage.inputs["searched"] / ARCHITECTURE),
        {name: kept_operations(stage.inputs[name]) for name in COMPONENTS},
        settings.proposals,
        tolerance=settings.matching.tolerance,
        draws=settings.matching.draws,
        seed=stage.seed,
        number=settings.number,
    )
    return {ARCHITECTURE: json_bytes(network.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("searched", *COMPONENTS))
