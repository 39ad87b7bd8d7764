"""Decode the searched architecture: in each layer the operation with the highest score (section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes, read_json
from pipeline.artifacts.publish import Content
from pipeline.config.base import NoSettings
from pipeline.hit_detector.search import derive
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, Architecture


def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
    """Read the scores and the supernet's architecture; publish the network's."""
    folder = stage.inputs["search"]
    supernet = Architecture.load(folder / "supernet.json")
    architecture = derive(supernet, read_json(folder / "scores.json"))
    return {ARCHITECTURE: json_bytes(architecture.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, NoSettings, inputs=("search",))
