"""Time each operation of a search's sub search spaces wherever it can stand."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.evaluation import LatencyConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.hit_detector.operation_clock import measure_operations
from pipeline.hit_detector.operation_times import FILE_NAME
from pipeline.hit_detector.spaces import kept_operations, search_architecture
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import COMPONENTS


class Settings(Section):
    """What the stage uses of the config."""

    supernet: SupernetConfig
    latency: LatencyConfig


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """All in one process, interleaved."""
    shape, latency = stage.settings.supernet, stage.settings.latency
    spaces = {component: kept_operations(stage.inputs[component]) for component in COMPONENTS}
    supernet, files = search_architecture(shape, spaces), stage.fresh_folder("onnx")
    times = measure_operations(supernet, shape.proposals, latency, files, stage.seed)
    return {FILE_NAME: json_bytes(times.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=COMPONENTS)
