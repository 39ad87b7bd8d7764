"""Time the detectors that the report compares, all in one process and in turns."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.detector import DetectorSections
from pipeline.config.evaluation import LatencyConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.deploy.together import LATENCIES
from pipeline.detection.builder import Surroundings
from pipeline.front.together import timed_together
from pipeline.runner.stage import Stage, stage_main


class Settings(DetectorSections):
    """What the stage uses of the config."""

    latency: LatencyConfig


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """One process: what two evaluations measure at two moments does not compare."""
    settings = stage.settings
    folders = stage.several("detectors").values()
    record = timed_together(
        {folder.parent.relative_to(stage.run_folder).as_posix(): folder for folder in folders},
        Surroundings(settings.detector, settings.testing, settings.normalization),
        DatasetIndex.load(stage.inputs["data"] / FILE_NAME),
        settings.latency,
        stage.fresh_folder("onnx"),
        stage.device,
    )
    return {LATENCIES: json_bytes(record.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(
        run,
        Settings,
        inputs=("data",),
        optional_inputs=("detectors",),
        several_inputs=("detectors",),
    )
