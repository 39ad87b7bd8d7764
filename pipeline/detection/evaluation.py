"""Detections of a model on a split, and COCO's numbers for them."""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hotcoco import COCO, COCOeval
from mmengine.dataset import pseudo_collate
from torch.utils.data import Subset

from pipeline.config.optimization import Training
from pipeline.training import distributed
from pipeline.training.computing import OutOfMemory, computing
from pipeline.training.stream import in_order

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
def detect(model: Any, dataset: Any, batch_size: int = 1, *, workers: int = 0) -> list[Detection]:
    """Run a detector over a test dataset.

    Several processes share the batches out, which are the same however many there are: all must call this,
    and all get all detections.

    Args:
        model: an mmdet detector, the same in every process; it is left in the mode it was in.
        dataset: what `build_dataset(…, train=False)` gives.
        batch_size: images at once, on each device.
        workers: loading processes of each.

    Raises:
        OutOfMemory: the images at once are too many.
    """
    training = model.training
    model.eval()
    own: list[tuple[int, list[Detection]]] = []
    try:
        batches = in_order(dataset, batch_size, workers=workers, collate=pseudo_collate)
        for number, batch in batches:
            found: list[Detection] = []
            for sample in model.test_step(batch):
                found += _coco_results(sample, dataset.cat_ids)
            own.append((number, found))
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"the GPU's memory ran out in an evaluation of {batch_size} images at once: lower "
            "evaluation.batch_size, or while training run.validation_batch_size"
        ) from error
    finally:
        model.train(training)
    every = sorted(chain.from_iterable(distributed.gathered(own)), key=itemgetter(0))
    return [detection for _, found in every for detection in found]


def validate(model: Any, dataset: Any, annotations: Path, training: Training) -> dict[str, Any]:
    """COCO's numbers of a detector that is trained, the same in all processes, which share the images out.

    Args:
        model: as `detect` takes it.
        dataset: of validation.
        annotations: its COCO instances file.
        training: says how many images are taken at once, unless `run.validation_batch_size` does:
            a device's share of its batch; and how many processes load.
    """
    share = math.ceil(training.batch_size / distributed.size())
    batch_size = computing().validation_batch_size or share
    detections = detect(model, dataset, batch_size, workers=training.workers)
    return distributed.from_first(lambda: coco_metrics(annotations, detections))


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
    """`speed.json`: median seconds and quartiles of one image, from pixels to boxes, one at a time.

    Args:
        model: a detector in eval mode.
        dataset: a test dataset.
        images: how many of its images to time, after a first one that warms up.
    """
    batches = list(_batches(Subset(dataset, range(min(images, len(dataset)))), 1))
    device = next(model.parameters()).device
    model.test_step(batches[0])
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    times: list[float] = []
    for batch in batches:
        began = time.perf_counter()
        model.test_step(batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    lower, median, upper = np.percentile(times, (25, 50, 75)).tolist()
    return {
        "format": 2,
        "seconds_per_image": median,
        "lower_quartile": lower,
        "upper_quartile": upper,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "images": len(batches),
    }


def _defined(value: float) -> float | None:
    """COCO's tools print -1 where a number is not defined."""
    return None if value == -1 or math.isnan(value) else float(value)
