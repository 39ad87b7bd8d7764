"""Draw a random architecture of the searched shape from the sub search spaces, whatever it costs."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import NonNegativeInt

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.supernet import SupernetConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.hit_detector.random_networks import uniform_network
from pipeline.hit_detector.spaces import kept_operations, supernet_architecture
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS


class Settings(Section):
    """What the stage uses of the config, and the network's number."""

    supernet: SupernetConfig
    number: NonNegativeInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Publish the architecture; its number is noted in its provenance."""
    settings = stage.settings
    spaces = {name: kept_operations(stage.inputs[name]) for name in COMPONENTS}
    classes = len(DatasetIndex.load(stage.inputs["data"] / FILE_NAME).classes)
    shape = supernet_architecture(settings.supernet, classes, settings.supernet.depth, spaces)
    network = uniform_network(shape, spaces, seed=stage.seed, number=settings.number)
    return {ARCHITECTURE: json_bytes(network.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", *COMPONENTS))
