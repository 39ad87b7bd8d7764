"""The check of a large dataset: time and memory for many images and boxes, heads of images only.

    PYTHONPATH=. .venv/bin/python benchmarks/dataset_check.py [--images 100000] [--boxes 1000000]

The images are names of a few files, so the disk's part is that of opening, not of reading. Each kind of
dataset is checked in a process of its own: one that is sound, with masks that nothing reads, and one in which
every tenth box has a defect, whose list is written to a file and shown in part.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.artifacts.annotation_version import annotation_version
from pipeline.config.data import CocoDetection
from pipeline.data.coco import check_detection
from pipeline.data.defects import DatasetError

WIDTH, HEIGHT, CLASSES, FILES = 640, 480, 80, 50
MASK = [[float(number) for number in range(40)]]
"""As long as COCO's usual ones."""


def write(folder: Path, images: int, boxes: int, *, broken: bool) -> None:
    """Write an annotation file, and image files that are names of a few."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(exist_ok=True)
    for number in range(images if not broken else 0):
        path = folder / "images" / f"{number:06d}.png"
        if number < FILES:
            Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(path)
        else:
            os.link(folder / "images" / f"{number % FILES:06d}.png", path)
    sides = rng.uniform(2, 200, (boxes, 2)).round(2)
    corners = (rng.random((boxes, 2)) * (np.array([WIDTH, HEIGHT]) - sides)).round(2)
    labels = rng.integers(CLASSES, size=boxes).tolist()
    annotations = [
        {
            "id": number,
            "image_id": number % images,
            "category_id": label,
            "bbox": [*corner, *side] if number % 10 or not broken else [*corner, 0.5, -number],
            "area": side[0] * side[1],
            "iscrowd": 0,
            "segmentation": MASK,
        }
        for number, (label, corner, side) in enumerate(
            zip(labels, corners.tolist(), sides.tolist(), strict=True)
        )
    ]
    listed = [
        {"id": number, "file_name": f"{number:06d}.png", "width": WIDTH, "height": HEIGHT}
        for number in range(images)
    ]
    categories = [{"id": number, "name": f"class {number}"} for number in range(CLASSES)]
    content = {"images": listed, "annotations": annotations, "categories": categories}
    (folder / f"{'broken' if broken else 'sound'}.json").write_text(json.dumps(content))


def check(folder: Path, name: str) -> None:
    """Check one file, and print time and the process's largest memory."""
    logging.disable(logging.WARNING)
    file = folder / f"{name}.json"
    began = time.process_time()
    annotation_version(file, "coco")
    version = time.process_time() - began
    split = {"annotations": str(file), "images": str(folder / "images")}
    small = {"annotations": str(folder / "val.json"), "images": str(folder / "images")}
    config = CocoDetection.model_validate({"train": split, "val": small, "verify_images": "header"})
    began, computed = time.perf_counter(), time.process_time()
    try:
        summary = check_detection(config)["train"]
        told = f"{summary.statistics()['objects']:,} objects"
        summary.write(folder / "normal.json")
    except DatasetError as error:
        sentence = error.write(folder / "defects.txt")
        lines = len((folder / "defects.txt").read_text().splitlines())
        told = f"{len(str(error).splitlines())} lines are shown of {lines:,} defects; {sentence}"
    seconds, computed = time.perf_counter() - began, time.process_time() - computed
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = file.stat().st_size / 2**20
    print(
        f"{name} ({size:.0f} MiB): {seconds:.1f} s, {computed:.1f} of CPU; its version {version:.1f} of CPU"
    )
    print(f"  at most {memory:.2f} GiB; {told}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--boxes", type=int, default=1_000_000)
    parser.add_argument("--check", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.check:
        return check(Path(arguments.check[0]), arguments.check[1])
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        for broken in (False, True):
            write(folder, arguments.images, arguments.boxes, broken=broken)
        val = {"id": 0, "file_name": "000000.png", "width": WIDTH, "height": HEIGHT}
        box = {"id": 0, "image_id": 0, "category_id": 0, "bbox": [1, 1, 50, 50]}
        categories = [{"id": number, "name": f"class {number}"} for number in range(CLASSES)]
        content = {"images": [val], "annotations": [box], "categories": categories}
        (folder / "val.json").write_text(json.dumps(content))
        print(f"{arguments.images:,} images, {arguments.boxes:,} boxes, {os.cpu_count()} cores")
        for kind in ("sound", "broken"):
            subprocess.run([sys.executable, __file__, "--check", str(folder), kind], check=True)
    return None


if __name__ == "__main__":
    main()
