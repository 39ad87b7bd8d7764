"""Publish a network of the zoo, as wide as it may be at the searched architecture's cost."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import PositiveInt

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.ablations import Matching, ZooName
from pipeline.config.base import Section
from pipeline.config.supernet import CostSetting
from pipeline.detection.complexity import detector_complexity
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.matching import matched


class Settings(Section):
    """What the stage uses of the config."""

    plain: ZooName
    matching: Matching
    proposals: CostSetting
    anchor_scale: PositiveInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Search the widths; they and the MACs are noted in the architecture's provenance."""
    settings = stage.settings
    searched = Architecture.load(stage.inputs["searched"] / ARCHITECTURE)
    network = matched(
        zoo_architecture(settings.plain),
        detector_complexity(searched, settings.proposals).total.macs,
        settings.proposals,
        tolerance=settings.matching.tolerance,
        classes=searched.classes,
        input_size=searched.input_size,
        anchor_scale=settings.anchor_scale,
    )
    return {ARCHITECTURE: json_bytes(network.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("searched",))
