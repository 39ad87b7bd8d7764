"""Detection on a test set of made-up images with a ResNet-50 detector: images a second."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.gpu import models
from benchmarks.gpu.bench import Bench, determinism
from benchmarks.gpu.report import Row

IMAGES = 32
SIZE = (640, 480)
"""Width and height of most of COCO's images; the detector's config resizes them."""
WORKERS = 8


def evaluation(bench: Bench) -> None:
    """Report batches of one and of eight, with loading processes where the code knows them.

    The detector is not trained, so hardly a score is above the threshold: what people wait for after the
    network, suppressing boxes among many, is not in these numbers.
    """
    settings = models.config("test" if bench.tiny else "paper")
    classes = models.TINY_CLASSES if bench.tiny else models.CLASSES
    count = 4 if bench.tiny else IMAGES
    model = (
        models.pool_net(settings, classes, largest=False)
        if bench.tiny
        else models.resnet50(settings)
    )
    model.to(bench.device).eval()
    loading = (0, 2 if bench.tiny else WORKERS) if models.detection_loads_in_processes() else (0,)
    with tempfile.TemporaryDirectory(prefix="detsearch_images_") as folder, determinism(False):
        annotations = _made_up(Path(folder), count, classes)
        dataset = models.detection_dataset(settings, annotations, Path(folder), classes)
        bench.attempt("network alone, 1 image", lambda: _alone(bench, model, dataset))
        for workers in loading:
            for images in (1, 2 if bench.tiny else 8):
                bench.attempt(
                    f"{images} at once, loading processes: {workers}",
                    lambda images=images, workers=workers: _all(
                        bench, model, dataset, images, workers
                    ),
                )


def _alone(bench: Bench, model: Any, dataset: Any) -> Row:
    bench.quiet()
    seconds = models.seconds_per_image(model, dataset, len(dataset))["seconds_per_image"]
    return {"images": len(dataset), "images/s": 1 / seconds}


def _all(bench: Bench, model: Any, dataset: Any, images: int, workers: int) -> Row:
    timing = bench.timed(lambda: models.detect_all(model, dataset, images, workers), repeats=1)
    return {
        "images": len(dataset),
        "images/s": len(dataset) / timing.later,
        "peak, GiB": timing.peak,
    }


def _made_up(folder: Path, count: int, classes: int) -> Path:
    """Write images of smooth noise, and annotations in COCO's format with an object in each."""
    rng = np.random.default_rng(0)
    width, height = SIZE
    images, objects = [], []
    for number in range(1, count + 1):
        coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        name = f"{number:06}.jpg"
        coarse.resize(SIZE, Image.Resampling.BICUBIC).save(folder / name, quality=90)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        objects.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": [10, 10, 100, 100],
                "area": 10000,
                "iscrowd": 0,
            }
        )
    categories = [{"id": number + 1, "name": str(number)} for number in range(classes)]
    path = folder / "annotations.json"
    path.write_text(
        json.dumps({"images": images, "annotations": objects, "categories": categories})
    )
    return path
