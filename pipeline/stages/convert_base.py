"""Convert a user's own mmdet detector: the base that Joint-DetNAS upgrades (section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts.digest import file_digest
from pipeline.artifacts.publish import Content
from pipeline.config.base_detector import MmdetDetector
from pipeline.config.detector import DetectorSections
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings
from pipeline.detection.conversion import convert_detector
from pipeline.detection.detector_folder import METRICS, detector_files
from pipeline.runner.stage import Stage, stage_main


class Settings(DetectorSections):
    """What the stage uses of the config: `base` is `base_detector.mmdet`."""

    base: MmdetDetector


def given_files(settings: Settings) -> Mapping[str, Path]:
    """The detector's config and weights: another content under the same name is another version."""
    return {"config": Path(settings.base.config), "checkpoint": Path(settings.base.checkpoint)}


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read, check and convert; publish a detector folder without metrics, which `evaluate` finds out."""
    settings = stage.settings
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    classes = DatasetIndex.load(stage.inputs["data"] / FILE_NAME).classes
    config, checkpoint = Path(settings.base.config), Path(settings.base.checkpoint)
    architecture, weights = convert_detector(
        config, checkpoint, classes, around, settings.base.input_size
    )
    origin = {
        "source": "mmdet",
        "config": {"path": str(config), "digest": file_digest(config)},
        "checkpoint": {"path": str(checkpoint), "digest": file_digest(checkpoint)},
    }
    described = architecture.model_copy(update={"provenance": origin})
    files = detector_files(described, weights, around, classes, metrics={})
    return {name: content for name, content in files.items() if name != METRICS}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data",), files=given_files)
