"""What the library's speed and memory are worth, as ratios in one run, each beside its target: `make bench`.

    PYTHONPATH=. .venv/bin/python -m benchmarks.bench [--short] [--only NAME ...]

Every line compares two things that were measured one after the other on this machine, so that a slow machine
changes both; two lines are counted exactly, and one is in seconds. `--short` takes few repetitions: it shows
that everything runs, and its times mean little. Nothing here fails by a time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from mmengine.optim import OptimWrapper
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.choice_layer import kept_bytes, step_seconds
from pipeline.config.files import load_config_files
from pipeline.config.supernet import SupernetConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.data.prepare import prepare_detection
from pipeline.detection.builder import (
    Surroundings,
    build_backbone,
    build_detector,
    set_execution,
)
from pipeline.detection.dataset import build_dataset
from pipeline.detection.evaluation import coco_metrics
from pipeline.detection.training import DetectorTraining
from pipeline.hit_detector.spaces import screening_architecture, supernet_architecture
from pipeline.search_space.names import CANDIDATES
from pipeline.supernet.choice import ChoiceLayer

ROOT = Path(__file__).parents[1]
OPERATIONS = {"backbone": "conv_k3_d1", "neck": "sep_k3_d1", "head": "sep_k3_d1"}
"""Of the detector whose steps are timed, in the embedded default's shape."""


@dataclass(frozen=True)
class Line:
    """A measurement: its target in words, and the number itself."""

    what: str
    value: float
    target: str


def layer_memory(short: bool) -> Iterator[Line]:
    """What a backbone supernet keeps for its backward pass: exact, counted on meta tensors."""
    with torch.device("meta"):
        backbone = build_backbone(screening_architecture(SupernetConfig(), CANDIDATES))
        images = torch.empty(2, 3, 800, 1216)
    kept = []
    for execution in ("store", "recompute"):
        set_execution(backbone, execution, None)
        kept.append(kept_bytes(backbone, images)[0])
    yield Line("choice layers, memory: recomputed / stored", kept[1] / kept[0], "<= 0.1")


def layer_paths(short: bool) -> Iterator[Line]:
    """Time of a step of one choice layer that runs some of its candidates."""
    layer, images = ChoiceLayer(CANDIDATES, 48, 48), torch.randn(4, 48, 32, 32)
    repeats = 2 if short else 7
    whole = step_seconds(layer, images, repeats)
    layer.paths = 4
    share = 4 / len(CANDIDATES)
    ratio = step_seconds(layer, images, repeats) / whole
    yield Line(
        f"choice layer, time: 4 of {len(CANDIDATES)} paths / all", ratio, f"about {share:.2f}"
    )


def evaluation(short: bool) -> Iterator[Line]:
    """COCO's numbers by pycocotools and by ours, on made-up detections."""
    images = 300 if short else 5000
    with tempfile.TemporaryDirectory() as folder:
        truth, detections = _made_up(images)
        path = Path(folder) / "truth.json"
        path.write_text(json.dumps(truth))
        ours = _seconds(lambda: coco_metrics(path, detections))
        theirs = _seconds(lambda: _by_pycocotools(path, detections))
    yield Line(f"evaluation of {images} images: pycocotools / ours", theirs / ours, ">= 50")


def _made_up(images: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Seven objects of ten classes an image, and thirty detections, of which every fourth is near one."""
    rng = np.random.default_rng(0)
    annotations: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for image in range(1, images + 1):
        boxes = np.concatenate([rng.uniform(0, 300, (7, 2)), rng.uniform(8, 200, (7, 2))], 1)
        kinds = rng.integers(1, 11, 7)
        for box, kind in zip(boxes.round(2).tolist(), kinds.tolist(), strict=True):
            number = len(annotations) + 1
            known = {"id": number, "image_id": image, "category_id": kind, "iscrowd": 0}
            annotations.append({**known, "bbox": box, "area": box[2] * box[3]})
        for number in range(30):
            place = int(rng.integers(7))
            moved = boxes[place] + rng.normal(0, 4 if number % 4 == 0 else 90, 4)
            moved[2:] = moved[2:].clip(2)
            detections.append(
                {
                    "image_id": image,
                    "category_id": int(kinds[place]),
                    "bbox": moved.round(2).tolist(),
                    "score": float(rng.random()),
                }
            )
    return {
        "images": [{"id": k, "width": 640, "height": 640} for k in range(1, images + 1)],
        "annotations": annotations,
        "categories": [{"id": k, "name": str(k)} for k in range(1, 11)],
    }, detections


def _by_pycocotools(path: Path, detections: list[dict[str, Any]]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO(str(path))
        evaluator = COCOeval(truth, truth.loadRes(detections), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()


def start(short: bool) -> Iterator[Line]:
    """What a training stage takes before its first step, over what torch and torchvision alone take."""
    repeats = 1 if short else 5

    def seconds(modules: str) -> float:
        return median(
            _seconds(lambda: _run(sys.executable, "-c", f"import {modules}"))
            for _ in range(repeats)
        )

    libraries = seconds("torch, torchvision")
    added = seconds("pipeline.stages.train_detector") - libraries
    yield Line(
        "start of a stage, beyond torch and torchvision / these", added / libraries, "<= 1.0"
    )


def dry_run(short: bool) -> Iterator[Line]:
    """`snakemake -n` of a run that has not begun, and of a hill climbing with many candidates."""
    yield Line("snakemake -n of the default run, seconds", _dry(3 - 2 * short, "all"), "<= 4")
    generations, together = (4, 10) if short else (25, 40)
    climb = f"hill_climb={{generations: {generations}, candidates: {together}}}"
    yield Line(
        f"snakemake -n with {generations * together} candidates, seconds",
        _dry(1, "joint_detnas", "--config", climb),
        "none" if short else "<= 20",
    )


def _dry(repeats: int, *arguments: str) -> float:
    """Seconds of the fastest of some dry runs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "snakemake", "-n", "-q", "all", "--cores", "1"]
        command += ["-s", str(ROOT / "Snakefile"), "--directory", folder, *arguments]
        return min(_seconds(lambda: _run(*command)) for _ in range(repeats))


def steps(short: bool) -> Iterator[Line]:
    """A training step of ours against mmdet's, as its runner takes it; and the wait for data.

    Images are decoded in the first epoch, and are in memory from then on.
    """
    warm, count, images = (1, 4, 8) if short else (3, 28, 32)
    with tempfile.TemporaryDirectory() as folder:
        task, model = _task(Path(folder), images)
        task.start(0)
        fetched, ours, theirs = [], [], []
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05, fused=True)
        wrapper = OptimWrapper(optimizer, clip_grad={"max_norm": 10.0})
        for iteration in range(count):
            began = time.perf_counter()
            batch = task.fetch(iteration)
            fetched.append(time.perf_counter() - began)
            ours.append(_seconds(lambda i=iteration, b=batch: task.step(i, b)))
            theirs.append(_seconds(lambda b=batch: model.train_step(b, optim_wrapper=wrapper)))
    ratio = median(ours[warm:]) / median(theirs[warm:])
    yield Line("training step: ours / mmdet's own", ratio, "<= 1.03")
    first = task.epoch_length
    for what, waits, target in (
        ("share of a step that waits for data", fetched[first:], "<= 0.05"),
        ("the same in the first epoch, which decodes images", fetched[warm:first], "no target"),
    ):
        waited = median(waits)
        yield Line(what, waited / (waited + median(ours[warm:])), target)


def _task(folder: Path, images: int) -> tuple[Any, Any]:
    """The training of a plain network of the embedded default's shape, on a few of its images."""
    config = load_config_files([])
    data = config.data.detection.embedded.model_copy(
        update={"train_images": images, "val_images": 4, "test_images": 0}
    )
    prepare_detection(data, folder)
    index = DatasetIndex.load(folder / FILE_NAME)
    classes, shape = list(index.classes), config.supernet
    architecture = supernet_architecture(shape, len(classes), shape.depth, OPERATIONS)
    around = Surroundings(config.detector, config.testing, config.normalization)
    model: Any = build_detector(architecture, around)
    train = build_dataset(index.split("train"), classes, config.detector, train=True)
    val = index.split("val")
    judged = (build_dataset(val, classes, config.detector, train=False), val.annotations)
    return DetectorTraining(model.train(), config.training, train, judged, seed=0), model


def side_by_side(short: bool) -> Iterator[Line]:
    """Two processes that train at once, against one after another, each on one thread."""
    command = [sys.executable, "-m", "benchmarks.bench", "--only", "steps"]
    command += ["--short"] if short else []
    alone = 2 * _seconds(lambda: _run(*command))
    began = time.perf_counter()
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    if any(process.wait() for process in both):
        raise SystemExit("a training beside another one failed")
    together = time.perf_counter() - began
    cores = len(os.sched_getaffinity(0))
    target = "0.5 to 0.7" if cores > 1 else "needs two cores"
    yield Line("two trainings: side by side / one after another", together / alone, target)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


PARTS: dict[str, Callable[[bool], Iterator[Line]]] = {
    "layer_memory": layer_memory,
    "layer_paths": layer_paths,
    "evaluation": evaluation,
    "start": start,
    "dry_run": dry_run,
    "steps": steps,
    "side_by_side": side_by_side,
}


def main() -> None:
    """Measure and print, line by line."""
    parser = argparse.ArgumentParser(description="Speed and memory, as ratios in one run")
    parser.add_argument("--short", action="store_true", help="few repetitions: whether it runs")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{'':54} {'measured':>9}   target", flush=True)
    for name in arguments.only:
        for line in PARTS[name](arguments.short):
            print(f"{line.what:54} {line.value:9.3g}   {line.target}", flush=True)


if __name__ == "__main__":
    main()
