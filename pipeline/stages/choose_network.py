"""Publish a network of the zoo, at the scale of the run, as a baseline's architecture."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import PositiveInt

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.ablations import Baseline
from pipeline.config.base import Section
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.scaling import scaled


class Settings(Section):
    """What the stage uses of the config."""

    baseline: Baseline
    input_size: tuple[PositiveInt, PositiveInt]
    anchor_scale: PositiveInt | None


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Take the network from the zoo, with the classes of the dataset."""
    settings, baseline = stage.settings, stage.settings.baseline
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    network = scaled(
        zoo_architecture(baseline.zoo),
        width=baseline.width,
        head_width=baseline.head_width,
        classes=len(index.classes),
        input_size=settings.input_size,
        anchor_scale=settings.anchor_scale,
    )
    network = network.model_copy(update={"provenance": baseline.model_dump(mode="json")})
    return {ARCHITECTURE: json_bytes(network.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data",))
