"""Batches of detection images: the same from a process that keeps images as from one that reads each anew."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from pipeline.config.data import EmbeddedDetection
from pipeline.config.detector import DetectorConfig
from pipeline.data.embedded import write_detection
from pipeline.data.embedded_sources import CLASSES
from pipeline.data.images import load_image
from pipeline.data.index import SplitPaths
from pipeline.detection import loading
from pipeline.detection.dataset import build_dataset
from pipeline.training.stream import BatchStream

IMAGES, BATCH = 10, 2


def _batches(folder: Path, workers: int) -> list[Any]:
    split = SplitPaths(folder / "annotations/train.json", folder / "images/train")
    settings = DetectorConfig(image_scale=(80, 80), flip=0.5)
    dataset = build_dataset(split, list(CLASSES), settings, train=True)
    stream = BatchStream(dataset, BATCH, seed=5, workers=workers, collate=pseudo_collate)
    return list(stream.starting_at(1, 3 * IMAGES // BATCH))


def test_three_epochs_are_the_same_bits_in_this_process_and_in_a_loading_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EmbeddedDetection(
        image_size=64,
        train_images=IMAGES,
        val_images=1,
        objects_per_image=(1, 2),
        object_size=(16, 40),
    )
    write_detection(settings, tmp_path)
    decoded: list[str] = []

    def load(path: Path) -> Any:
        decoded.append(path.name)
        return load_image(path)

    monkeypatch.setattr(loading, "load_image", load)
    here, there = _batches(tmp_path, 0), _batches(tmp_path, 1)
    assert len(here) == len(there) == 14
    assert sorted(decoded) == sorted(set(decoded)) and len(decoded) == IMAGES
    for one, other in zip(here, there, strict=True):
        for image, same in zip(one["inputs"], other["inputs"], strict=True):
            assert torch.equal(image, same)
        for sample, same in zip(one["data_samples"], other["data_samples"], strict=True):
            assert sample.img_path == same.img_path and sample.flip == same.flip
            boxes, others = sample.gt_instances.bboxes, same.gt_instances.bboxes
            assert np.array_equal(boxes.tensor, others.tensor)
