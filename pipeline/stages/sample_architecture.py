"""Draw a random architecture from the sub search spaces: of the searched one's cost, or of any."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import NonNegativeInt

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.ablations import Matching
from pipeline.config.base import Section
from pipeline.config.supernet import SupernetConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.hit_detector.random_networks import random_network, uniform_network
from pipeline.hit_detector.spaces import kept_operations, supernet_architecture
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS, Architecture


class Settings(Section):
    """What the stage uses of the config, and the network's number; `matching` where a cost is to be met."""

    supernet: SupernetConfig
    matching: Matching | None = None
    number: NonNegativeInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Publish the architecture; its provenance holds its number, and its MACs where they were to fit."""
    settings, shape = stage.settings, stage.settings.supernet
    spaces = {name: kept_operations(stage.inputs[name]) for name in COMPONENTS}
    if settings.matching is None:
        classes = len(DatasetIndex.load(stage.inputs["data"] / FILE_NAME).classes)
        supernet = supernet_architecture(shape, classes, shape.depth, spaces)
        network = uniform_network(supernet, spaces, seed=stage.seed, number=settings.number)
    else:
        network = random_network(
            Architecture.load(stage.inputs["searched"] / ARCHITECTURE),
            spaces,
            shape.proposals,
            tolerance=settings.matching.tolerance,
            draws=settings.matching.draws,
            seed=stage.seed,
            number=settings.number,
        )
    return {ARCHITECTURE: json_bytes(network.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=COMPONENTS, optional_inputs=("searched", "data"))
