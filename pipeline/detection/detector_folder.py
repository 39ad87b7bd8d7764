"""The detector folder: architecture, weights, mmdet config and class names, for use anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.artifacts.files import json_bytes, read_json
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, load_weights, save_weights
from pipeline.detection.builder import Surroundings, build_detector, model_config
from pipeline.detection.config_text import literal
from pipeline.detection.dataset import dataset_config, test_transforms
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.supernet.weights import load_strictly

CONFIG, CLASSES, METRICS = "config.py", "classes.json", "metrics.json"
RESOLUTION = "resolution.json"


def detector_files(
    architecture: Architecture,
    weights: Mapping[str, Tensor],
    around: Surroundings,
    classes: Sequence[str],
    metrics: Mapping[str, Any],
    resolution: tuple[int, int] | None = None,
) -> dict[str, Content]:
    """The files of a detector folder, ready to publish.

    Args:
        architecture: of the detector.
        weights: its state dict.
        around: what completes the architecture.
        classes: class names, in the order of labels.
        metrics: content of `metrics.json`.
        resolution: longest and shortest side, pixels, at which this detector is to be used; by default
            it is `detector.image_scale` of whoever uses it.
    """
    if resolution is not None:
        detector = around.detector.model_copy(update={"image_scale": resolution})
        around = replace(around, detector=detector)
    own = {RESOLUTION: json_bytes({"format": 1, "resolution": resolution})} if resolution else {}
    metadata = {"classes": json.dumps(list(classes)), "family": architecture.family}
    return {
        ARCHITECTURE: json_bytes(architecture.model_dump(mode="json")),
        WEIGHTS: lambda path: save_weights(path, dict(weights), metadata),
        CONFIG: mmdet_config(architecture, around, classes).encode(),
        CLASSES: json_bytes(list(classes)),
        METRICS: json_bytes(dict(metrics)),
        **own,
    }


def detector_resolution(folder: Path) -> tuple[int, int] | None:
    """The resolution at which the detector in a folder is to be used, if it has one of its own.

    Raises:
        ArtifactError: the file is no JSON.
    """
    path = folder / RESOLUTION
    if not path.exists():
        return None
    longest, shortest = read_json(path)["resolution"]
    return longest, shortest


def mmdet_config(architecture: Architecture, around: Surroundings, classes: Sequence[str]) -> str:
    """The text of a self-contained mmdet config: the model, and how an image enters it."""
    # mmdet's own name: its inferencer looks for that, and for the pixels of 8-bit files both are one
    transforms = test_transforms(around.detector, load="LoadImageFromFile")
    dataset = dataset_config("", "", list(classes), transforms, train=False)
    parts = {
        "default_scope": "mmdet",
        "custom_imports": {
            "imports": ["pipeline.detection.plugin"],
            "allow_failed_imports": False,
        },
        "model": model_config(architecture, around),
        "test_dataloader": {"batch_size": 1, "dataset": dataset},
        # mmdet's inferencer makes one, even where it draws nothing
        "visualizer": {"type": "DetLocalVisualizer", "name": "visualizer"},
    }
    lines = [f"{name} = {literal(value)}" for name, value in parts.items()]
    return "# A detector made by DetSearch. Load it with mmdet.apis.init_detector.\n" + "\n".join(
        [*lines, ""]
    )


def load_detector(
    folder: Path, around: Surroundings, device: torch.device | str = "cpu"
) -> tuple[nn.Module, Architecture, list[str]]:
    """Load a detector folder: the model in eval mode, its architecture, its class names.

    Raises:
        ArtifactError, ArchitectureError: a file is missing or not what it should be.
        WeightsMismatchError: the weights are not of this architecture.
    """
    architecture = Architecture.load(folder / ARCHITECTURE)
    model = build_detector(architecture, around)
    weights, _ = load_weights(folder / WEIGHTS)
    load_strictly(model, weights, folder / WEIGHTS)
    return model.to(device).eval(), architecture, read_json(folder / CLASSES)
