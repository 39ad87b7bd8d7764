"""Makes a run's folder with plausible numbers, without training anything.

`python tests/report/synthetic_run.py results/synthetic` writes one to look at, and its report.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.artifacts.files import read_json, write_json
from pipeline.artifacts.manifest import Input, Manifest
from pipeline.config.data import EmbeddedDetection
from pipeline.config.evaluation import ReportConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.data.prepare import prepare_detection
from pipeline.hit_detector.search import derive
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.report.page import build_report
from pipeline.search_space.architecture import COMPONENTS
from pipeline.search_space.names import CANDIDATES

PREFERRED = {"backbone": "k5", "neck": "sep", "head": "e6"}
STAGES: tuple[tuple[str, str, tuple[str, ...], float], ...] = (
    ("data/detection", "prepare_detection_data", (), 2.1),
    ("data/classification", "prepare_classification_data", (), 1.4),
    (
        "hit_detector/screening/supernet",
        "pretrain_screening_supernet",
        ("data/classification",),
        71.0,
    ),
    *(
        (
            f"hit_detector/screening/{component}",
            "screen",
            (
                "data/detection",
                "hit_detector/screening/supernet",
                *(f"hit_detector/screening/{other}" for other in COMPONENTS[:number]),
            ),
            95.0 + 12 * number,
        )
        for number, component in enumerate(COMPONENTS)
    ),
    (
        "hit_detector/supernet",
        "pretrain_search_supernet",
        ("data/classification", "hit_detector/screening/backbone"),
        40.0,
    ),
    (
        "hit_detector/search",
        "search",
        (
            "data/detection",
            "hit_detector/supernet",
            *(f"hit_detector/screening/{component}" for component in COMPONENTS),
        ),
        143.2,
    ),
    ("hit_detector", "derive", ("hit_detector/search",), 0.4),
    (
        "hit_detector/pretraining",
        "pretrain_backbone",
        ("data/classification", "hit_detector"),
        33.0,
    ),
    (
        "hit_detector/detector",
        "train_detector",
        ("data/detection", "hit_detector", "hit_detector/pretraining"),
        160.7,
    ),
    ("hit_detector/evaluation", "evaluate", ("data/detection", "hit_detector/detector"), 12.9),
)
PRETRAINING = (
    "data/classification",
    "hit_detector/screening/supernet",
    "hit_detector/supernet",
    "hit_detector/pretraining",
)
"""What a run without pretraining does not have."""
CONFIGS: dict[str, dict[str, Any]] = {
    "screen": {
        "screening": {"epochs": 12, "mu": 0.1, "regularizer": "min_column", "keep": {"backbone": 8}}
    },
    "search": {"search": {"epochs": 12, "architecture_from_epoch": 6, "cost_weight": 0.01}},
}
NUMBERS = {
    **{"AP": 0.2134, "AP50": 0.4213, "AP75": 0.1987, "APS": 0.0921, "APM": 0.2377, "APL": None},
    **{"AR1": 0.2011, "AR10": 0.3042, "AR100": 0.3111, "ARS": 0.12, "ARM": 0.33, "ARL": None},
}


def make_run(
    folder: Path,
    *,
    val_images: int = 6,
    classes: Sequence[str] = tuple("0123456789"),
    depth: tuple[int, int, int, int] = (1, 1, 2, 1),
    head_blocks: int = 2,
    keep: int = 4,
    iterations: int = 240,
    seed: int = 0,
    pretrained: bool = True,
    family: Literal["faster_rcnn", "retinanet"] = "faster_rcnn",
) -> Path:
    """Write a run's folder, everything up to the evaluation; returns it."""
    rng = np.random.default_rng(seed)
    data = folder / "data" / "detection"
    data.mkdir(parents=True)
    prepare_detection(EmbeddedDetection(train_images=10, val_images=val_images, seed=seed), data)
    spaces = {
        component: _screening(folder, component, keep, iterations, rng) for component in COMPONENTS
    }
    shape = SupernetConfig(
        family=family,
        input_size=(128, 128),
        proposals=100,
        stem_channels=8,
        channels=(16, 24, 40, 64),
        depth=depth,
        neck_channels=48,
        rpn_channels=48,
        head_blocks=head_blocks,
        head_fc_channels=128,
    )
    supernet = supernet_architecture(shape, len(classes), depth, spaces)
    components = {}
    for component in COMPONENTS:
        blocks = supernet.blocks(component)
        components[component] = {
            "operations": list(spaces[component]),
            "layers": [
                {
                    "name": name,
                    "probabilities": _softmax(rng.normal(0, 0.9, keep)),
                    "macs": rng.integers(10_000, 90_000, keep).tolist(),
                }
                for name in blocks
            ],
        }
    scores = {"format": 1, "components": components}
    root = folder / "hit_detector"
    write_json(root / "search" / "scores.json", scores)
    write_json(root / "search" / "history.json", _search_history(iterations, keep, rng))
    architecture = derive(supernet, scores)
    architecture.save(root / "architecture.json")
    architecture.save(root / "detector" / "architecture.json")
    write_json(root / "detector" / "history.json", _detector_history(iterations, rng))
    accuracies = (("screening/supernet", 0.71), ("supernet", 0.8), ("pretraining", 0.93))
    for name, accuracy in accuracies if pretrained else ():
        write_json(root / name / "metrics.json", {"format": 1, "accuracy": accuracy})
        records = [
            {"epoch": n, "iteration": 10 * n, "accuracy": accuracy * (1 - 0.8**n)}
            for n in range(1, 11)
        ]
        records.append({"epoch": 10, "iteration": 100, "validation_accuracy": accuracy})
        write_json(root / name / "history.json", {"format": 1, "records": records})
    _evaluation(folder, classes, rng, proposals=family == "faster_rcnn")
    _manifests(folder, pretrained)
    return folder


def _softmax(values: np.ndarray) -> list[float]:
    exponentials = np.exp(values)
    return (exponentials / exponentials.sum()).tolist()


def _screening(
    folder: Path, component: str, keep: int, iterations: int, rng: np.random.Generator
) -> tuple[str, ...]:
    """Random drifts of 32 scores, of which the least goes at even intervals."""
    taste = {
        name: rng.normal(0, 0.6) + (0.7 if PREFERRED[component] in name else 0.0)
        for name in CANDIDATES
    }
    alive, removed, gone = list(CANDIDATES), [], {}
    records: list[dict[str, float]] = []
    start, length = iterations // 2, iterations // 12
    share: dict[str, float] = {}
    for done in range(1, iterations + 1):
        drift = max(0.0, (done - start) / (iterations - start))
        share = dict(zip(alive, _softmax(np.array([drift * taste[n] for n in alive])), strict=True))
        target = len(CANDIDATES) - round((len(CANDIDATES) - keep) * drift)
        while len(alive) > target:
            worst = min(share, key=lambda name: share[name])
            alive.remove(worst)
            gone[worst] = share.pop(worst)
            removed.append(
                {
                    "epoch": -(-done // length),
                    "iteration": done,
                    "operation": worst,
                    "score": gone[worst],
                }
            )
        if done % 20 == 0:
            records.append(
                {
                    "epoch": -(-done // length),
                    "iteration": done,
                    "loss": 2 * 0.998**done,
                    "candidates": float(len(alive)),
                }
            )
        if done % length == 0:
            records.append(
                {"epoch": done // length, "iteration": done}
                | {f"probability/{component}/{name}": value for name, value in share.items()}
            )
    kept = sorted(share, key=lambda name: -share[name])
    target_folder = folder / "hit_detector" / "screening" / component
    write_json(
        target_folder / "sub_search_space.json",
        {
            "format": 1,
            "component": component,
            "kept": kept,
            "scores": {name: share.get(name, gone.get(name)) for name in CANDIDATES},
            "removed": removed,
        },
    )
    write_json(target_folder / "history.json", {"format": 1, "records": records})
    return tuple(kept)


def _search_history(iterations: int, keep: int, rng: np.random.Generator) -> dict[str, Any]:
    records = []
    for done in range(10, iterations + 1, 10):
        progress = done / iterations
        record = {
            "epoch": 1 + done * 12 // (iterations + 1),
            "iteration": done,
            "loss": 1.9 * math.exp(-1.8 * progress) + rng.normal(0, 0.05),
            "lr": 0.02,
            "expected_gmacs": 0.021 - 0.006 * max(0.0, progress - 0.4),
        }
        for number, component in enumerate(COMPONENTS):
            settled = max(0.0, progress - 0.42) * (0.4 + 0.3 * number)
            record[f"entropy/{component}"] = math.log(keep) * (1 - settled)
        if progress > 0.42:
            record["gradient/loss"] = 0.2 * math.exp(-progress) + abs(rng.normal(0, 0.02))
            record["gradient/penalty"] = 0.004
            record["architecture_loss"] = 2.1 * math.exp(-1.6 * progress) + rng.normal(0, 0.07)
        records.append(record)
    return {"format": 1, "records": records}


def _detector_history(iterations: int, rng: np.random.Generator) -> dict[str, Any]:
    records: list[dict[str, float]] = []
    for done in range(10, iterations + 1, 10):
        progress = done / iterations
        loss = 1.6 * math.exp(-2 * progress) + rng.normal(0, 0.04)
        records.append({"epoch": 1, "iteration": done, "loss": loss, "lr": 0.01})
        if done % (iterations // 6) == 0:
            records.append(
                {"epoch": 2, "iteration": done, "AP": 0.21 * progress, "AP50": 0.42 * progress}
            )
    return {"format": 1, "records": records}


def _evaluation(
    folder: Path, classes: Sequence[str], rng: np.random.Generator, proposals: bool
) -> None:
    """Detections near the truth, some false ones, and fixed metrics."""
    truth = read_json(folder / "data" / "detection" / "annotations" / "val.json")
    detections = []
    for annotation in truth["annotations"]:
        box = (np.array(annotation["bbox"]) + rng.normal(0, 2, 4)).tolist()
        detections.append(
            _detection(annotation["image_id"], annotation["category_id"], box, rng, 0.3)
        )
        detections.append(_detection(annotation["image_id"], 1, box, rng, 0.01))
    for image in truth["images"]:
        box = [*rng.uniform(0, 80, 2).tolist(), *rng.uniform(15, 45, 2).tolist()]
        detections.append(_detection(image["id"], 3, box, rng, 0.1))
    target = folder / "hit_detector" / "evaluation"
    write_json(target / "detections.json", detections, indent=None)
    parts = {
        "backbone": (412_345, 31_000_000),
        "neck": (98_765, 12_500_000),
        "rpn": (22_000, 9_800_000),
        "head": (311_000, 51_000_000),
    }
    if not proposals:
        del parts["rpn"]
    components = {
        name: {"params": params, "macs": macs, "paper_flops": round(1.08 * macs)}
        for name, (params, macs) in parts.items()
    }
    write_json(
        target / "metrics.json",
        {
            "format": 1,
            **NUMBERS,
            "AP_per_class": {
                name: None if number == 4 else float(rng.uniform(0.05, 0.5))
                for number, name in enumerate(classes)
            },
            "params": sum(params for params, _ in parts.values()),
            "macs": sum(macs for _, macs in parts.values()),
            "components": components,
            "input_size": [128, 128],
            "proposals": 100 if proposals else None,
            "images": len(truth["images"]),
        },
    )
    write_json(
        target / "speed.json",
        {"format": 1, "seconds_per_image": 0.0312, "device": "cpu", "threads": 2, "images": 20},
    )


def _detection(
    image: int, category: int, box: list[float], rng: np.random.Generator, least: float
) -> dict[str, Any]:
    score = float(rng.uniform(least, min(1.0, least + 0.68)))
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


def _manifests(folder: Path, pretrained: bool) -> None:
    made: dict[str, Manifest] = {}
    for number, (place, stage, inputs, seconds) in enumerate(STAGES):
        if not pretrained and place in PRETRAINING:
            continue
        read = {name: made[name] for name in inputs if name in made}
        made[place] = _manifest(stage, read, seconds, number)
        path = folder / place / "manifest.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made[place].content())


def _manifest(stage: str, inputs: Mapping[str, Manifest], seconds: float, number: int) -> Manifest:
    return Manifest(
        stage=stage,
        config=CONFIGS.get(stage, {"dataset": {"source": "embedded"}}),
        code="sha256:" + "c0de" * 16,
        inputs={
            name.rpartition("/")[2]: Input(path=f"{name}/manifest.json", version=manifest.version)
            for name, manifest in inputs.items()
        },
        seed=1,
        files={},
        packages={"python": "3.11.7", "detsearch": "0.1.0", "torch": "2.14.1", "mmdet": "3.5.1"},
        device="cpu",
        job=None,
        wall_seconds=seconds,
        gpu_hours=0.0,
        created=f"2026-01-31T12:{number:02d}:00+00:00",
    )


if __name__ == "__main__":
    run = make_run(
        Path(sys.argv[1]), val_images=8, depth=(4, 4, 8, 4), head_blocks=4, keep=8, iterations=960
    )
    for name, content in build_report(run, ReportConfig()).items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
