"""A pool small enough for tests, its elastic detector with telling weights, and embedded images."""

from pathlib import Path
from typing import Any

import torch
from telling_weights import randomise

from pipeline.config.data import EmbeddedDetection
from pipeline.config.detector import DetectorConfig, TestingConfig
from pipeline.config.teacher_pool import PoolSpace
from pipeline.data.embedded import write_detection
from pipeline.data.embedded_sources import CLASSES
from pipeline.data.index import SplitPaths
from pipeline.detection.builder import Surroundings
from pipeline.detection.dataset import build_dataset
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.space import SubnetSpace

AROUND = Surroundings(
    detector=DetectorConfig(
        rpn_samples=16, proposals=20, roi_samples=8, image_scale=(96, 96), flip=0
    ),
    testing=TestingConfig(proposals=20, score_threshold=0.0, detections=20),
)


def pool_space(block: Any) -> SubnetSpace:
    """Depths [1,1,1,1] to [2,2,3,2], three widths, two resolutions, ten classes."""
    shape = PoolSpace(
        block=block,
        base_channels=4,
        neck_channels=8,
        rpn_channels=8,
        anchor_scale=4,
        roi_size=3,
        head_fc_channels=16,
        least_depths=(1, 1, 1, 1),
        greatest_depths=(2, 2, 3, 2),
        resolutions=((96, 96), (64, 64)),
    )
    return SubnetSpace.whole(shape, classes=len(CLASSES))


def elastic_detector(block: Any) -> ElasticDetector:
    torch.manual_seed(0)
    elastic = ElasticDetector(pool_space(block), AROUND)
    randomise(elastic.model)
    elastic.model.train(False)
    return elastic


def embedded_images(folder: Path, count: int) -> Any:
    """A test dataset of real digits on photographs, 96 × 96 pixels."""
    folder.mkdir()
    settings = EmbeddedDetection(
        image_size=96, train_images=10, val_images=count, object_size=(18, 48)
    )
    write_detection(settings, folder)
    split = SplitPaths(folder / "annotations/val.json", folder / "images/val")
    return build_dataset(split, list(CLASSES), AROUND.detector, train=False)


def image_batches(dataset: Any, size: int) -> list[dict[str, list[Any]]]:
    items = [dataset[index] for index in range(len(dataset))]
    return [
        {key: [item[key] for item in items[start : start + size]] for key in items[0]}
        for start in range(0, len(items), size)
    ]
