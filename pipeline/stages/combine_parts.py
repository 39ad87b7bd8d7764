"""Put backbone, neck and head of several detectors into one (Hit-Detector, section 1)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.hit_detector.ablations import combined
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS, Architecture


class Settings(Section):
    """What the detectors are called, by component; empty where each part was searched apart."""

    parts: dict[str, str] = Field(default={})


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Take each component from the detector that it belongs to."""
    parts = {name: Architecture.load(stage.inputs[name] / ARCHITECTURE) for name in COMPONENTS}
    whole = combined(parts, stage.settings.parts)
    return {ARCHITECTURE: json_bytes(whole.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=COMPONENTS)
