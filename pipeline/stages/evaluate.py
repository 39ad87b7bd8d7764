"""Evaluate a detector: COCO's twelve numbers, parameters and computation per component, speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.detector import DetectorSections
from pipeline.config.evaluation import Evaluating
from pipeline.config.supernet import CostSetting
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings
from pipeline.detection.complexity import detector_complexity
from pipeline.detection.dataset import build_dataset
from pipeline.detection.detector_folder import detector_resolution, load_detector
from pipeline.detection.evaluation import coco_metrics, detect, seconds_per_image
from pipeline.runner.stage import Stage, stage_main
from pipeline.training import distributed


class Settings(DetectorSections):
    """What the stage uses of the config."""

    evaluation: Evaluating
    proposals: CostSetting


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Detect on the test split, or else on val; count the cost at the architecture's input size.

    A detector that has a resolution of its own is used at that.
    """
    settings = stage.settings
    images = settings.detector
    if resolution := detector_resolution(stage.inputs["detector"]):
        images = images.model_copy(update={"image_scale": resolution})
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    model, architecture, classes = load_detector(stage.inputs["detector"], around, stage.device)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    split = index.split(index.evaluation_split)
    dataset = build_dataset(split, classes, images, train=False)
    chosen = settings.evaluation
    detections = detect(model, dataset, chosen.batch_size, workers=chosen.workers)
    complexity = detector_complexity(architecture, settings.proposals)
    metrics = {
        "format": 1,
        **distributed.from_first(lambda: coco_metrics(split.annotations, detections)),
        "params": complexity.total.params,
        "macs": complexity.total.macs,
        "components": {name: asdict(cost) for name, cost in complexity.components.items()},
        "input_size": list(architecture.input_size),
        "resolution": list(images.image_scale),
        "proposals": None if architecture.rpn is None else settings.proposals,
        "split": index.evaluation_split,
        "images": len(dataset),
    }
    return {
        "metrics.json": json_bytes(metrics),
        "detections.json": json_bytes(detections, indent=None),
        "speed.json": json_bytes(
            distributed.from_first(lambda: seconds_per_image(model, dataset, chosen.timed_images))
        ),
    }


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "detector"))
