"""Put backbone, neck and head, each searched apart, into one detector (Hit-Detector, section 1)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import NoSettings
from pipeline.hit_detector.ablations import combined
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS, Architecture


def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
    """Take each component from the search that it was searched in."""
    parts = {name: Architecture.load(stage.inputs[name] / ARCHITECTURE) for name in COMPONENTS}
    return {ARCHITECTURE: json_bytes(combined(parts).model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, NoSettings, inputs=COMPONENTS)
