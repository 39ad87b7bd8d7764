"""Detections of a model on a split, and COCO's numbers for them."""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from hotcoco import COCO, COCOeval
from torch.utils.data import Subset

METRICS = (
    "AP",
    "AP50",
    "AP75",
    "APS",
    "APM",
    "APL",
    "AR1",
    "AR10",
    "AR100",
    "ARS",
    "ARM",
    "ARL",
)
"""COCO's twelve numbers in the order of its tools."""

Detection = dict[str, Any]
"""COCO's result format: image_id, category_id, bbox (x, y, width, height), score."""


@torch.no_grad()
def detect(model: Any, dataset: Any, batch_size: int = 1) -> list[Detection]:
    """Run a detector over a test dataset.

    Args:
        model: an mmdet detector; it is left in the mode it was in.
        dataset: what `build_dataset(…, train=False)` gives.
        batch_size: images at once.
    """
    training = model.training
    model.eval()
    found: list[Detection] = []
    try:
        for batch in _batches(dataset, batch_size):
            for sample in model.test_step(batch):
                found += _coco_results(sample, dataset.cat_ids)
    finally:
        model.train(training)
    return found


def _batches(dataset: Any, size: int) -> Iterator[dict[str, Any]]:
    for start in range(0, len(dataset), size):
        items = [dataset[index] for index in range(start, min(start + size, len(dataset)))]
        yield {
            "inputs": [item["inputs"] for item in items],
            "data_samples": [item["data_samples"] for item in items],
        }


def _coco_results(sample: Any, category_ids: Sequence[int]) -> list[Detection]:
    predictions = sample.pred_instances
    boxes = predictions.bboxes.tolist()
    scores = predictions.scores.tolist()
    labels = predictions.labels.tolist()
    return [
        {
            "image_id": sample.img_id,
            "category_id": category_ids[label],
            "bbox": [left, top, right - left, bottom - top],
            "score": score,
        }
        for (left, top, right, bottom), score, label in zip(boxes, scores, labels, strict=True)
    ]


def coco_metrics(
    annotations: Path, detections: Sequence[Detection], images: Sequence[int] | None = None
) -> dict[str, Any]:
    """COCO's twelve numbers, and AP per class; fractions, `None` where there is no object to find.

    Args:
        annotations: the split's COCO instances file.
        detections: all detections on its images; there may be none.
        images: ids of the images to judge on; all of the file where None.
    """
    truth = COCO(str(annotations))
    # the evaluator prints its summary, which belongs into no log of ours
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(truth, truth.load_res(list(detections)), "bbox")
        if images is not None:
            evaluator.params.img_ids = list(images)
        evaluator.run()
    numbers = dict(zip(METRICS, map(_defined, evaluator.stats), strict=True))
    # which leaves out classes without an object
    per_class = evaluator.results(per_class=True)["per_class"]
    classes = [category["name"] for category in truth.load_cats(truth.get_cat_ids())]
    return {
        **numbers,
        "AP_per_class": {name: _defined(per_class.get(name, -1)) for name in classes},
    }


@torch.no_grad()
def seconds_per_image(model: Any, dataset: Any, images: int) -> dict[str, Any]:
    """`speed.json`: mean seconds of one image, from pixels in memory to boxes, one at a time.

    Args:
        model: a detector in eval mode.
        dataset: a test dataset.
        images: how many of its images to time, after a first one that warms up.
    """
    batches = list(_batches(Subset(dataset, range(min(images, len(dataset)))), 1))
    device = next(model.parameters()).device
    model.test_step(batches[0])
    began = time.perf_counter()
    for batch in batches:
        model.test_step(batch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = (time.perf_counter() - began) / len(batches)
    return {
        "format": 1,
        "seconds_per_image": seconds,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "images": len(batches),
    }


def _defined(value: float) -> float | None:
    """COCO's tools print -1 where a number is not defined."""
    return None if value == -1 or math.isnan(value) else float(value)
