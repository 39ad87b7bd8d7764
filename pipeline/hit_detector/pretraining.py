"""Pretraining backbones and backbone supernets (Hit-Detector, section 4.2)."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.detector import Normalization
from pipeline.config.optimization import Classification
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import build_backbone
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.choice import Execution, choice_layers
from pipeline.training.classification import BackbonePretraining, Classifier
from pipeline.training.loop import Record


def backbone_pretraining(
    architecture: Architecture,
    dataset: Path,
    settings: Classification,
    normalization: Normalization,
    *,
    seed: int,
    device: torch.device,
    execution: Execution = "store",
) -> BackbonePretraining:
    """The classification task for an architecture's backbone; in a supernet α keeps its values.

    Args:
        architecture: whose backbone is trained.
        dataset: folder of a prepared classification dataset.
        settings: length, batch and optimiser.
        normalization: as the detector's.
        seed: of the data stream.
        device: where to train.
        execution: how choice layers keep activations.
    """
    index = DatasetIndex.load(dataset / FILE_NAME)
    backbone = build_backbone(architecture, execution=execution, paths=settings.paths)
    classifier = Classifier(
        backbone, architecture.backbone.out_channels[-1], len(index.classes)
    ).to(device)
    folders = (index.folder("train"), index.folder("val"))
    sampled = settings.paths is not None and bool(choice_layers(backbone))
    return BackbonePretraining(classifier, settings, normalization, folders, seed, sampled=sampled)


def pretrained_files(task: BackbonePretraining, history: list[Record]) -> dict[str, Content]:
    """What a pretraining publishes: the backbone's weights, its accuracy, the curve."""
    weights = task.model.backbone.state_dict()
    return {
        WEIGHTS: lambda path: save_weights(path, weights),
        "metrics.json": json_bytes({"format": 1, "accuracy": task.accuracy}),
        "history.json": json_bytes({"format": 1, "records": history}),
    }
