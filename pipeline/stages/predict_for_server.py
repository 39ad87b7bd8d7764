"""Detect on a split without annotations, and write what COCO's evaluation server takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from pipeline.artifacts.publish import Content
from pipeline.config.detector import DetectorSections
from pipeline.config.evaluation import Evaluating
from pipeline.config.own_detection import CocoSplit
from pipeline.data.image_list import read_image_list
from pipeline.data.images import VerifyImages
from pipeline.data.index import FILE_NAME, DatasetIndex, SplitPaths
from pipeline.detection.builder import Surroundings
from pipeline.detection.dataset import build_dataset
from pipeline.detection.detector_folder import detector_resolution, load_detector
from pipeline.detection.evaluation import detect
from pipeline.detection.server_results import server_files
from pipeline.runner.stage import Stage, stage_main


class Settings(DetectorSections):
    """What the stage uses of the config: the split, and what the detector is called."""

    evaluation: Evaluating
    split: CocoSplit
    verify_images: VerifyImages
    name: str = Field(min_length=1)


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """A detector that has a resolution of its own is used at that, as in `evaluate`."""
    settings, detector = stage.settings, stage.inputs["detector"]
    images = settings.detector
    if resolution := detector_resolution(detector):
        images = images.model_copy(update={"image_scale": resolution})
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    file, folder = files(settings)["images"], Path(settings.split.images).absolute()
    train = index.split("train").annotations
    listed = stage.fresh_folder("images") / "images.json"
    read_image_list(file, folder, train, settings.verify_images).write(listed)
    model, _, classes = load_detector(detector, around, stage.device)
    dataset = build_dataset(SplitPaths(listed, folder), classes, images, train=False)
    detections = detect(model, dataset, settings.evaluation.batch_size)
    return dict(server_files(detections, file, settings.name))


def files(settings: Settings) -> Mapping[str, Path]:
    """The list of images: its content is part of the version."""
    return {"images": Path(settings.split.annotations)}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "detector"), files=files)
