"""The detection supernet of screening and search, and the two halves of the data they alternate on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch import nn
from torch.utils.data import Subset

from pipeline.artifacts.weights import pretrained_weights
from pipeline.config.hit_detector import Alternation
from pipeline.config.supernet import Depths, SupernetConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.data.splits import halves
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.dataset import build_dataset
from pipeline.detection.loss import detection_loss
from pipeline.detection.sampling import sample_by_image
from pipeline.hit_detector.spaces import (
    Operations,
    component_choices,
    kept_operations,
    supernet_architecture,
)
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.supernet.choice import ChoiceLayer
from pipeline.supernet.weights import load_candidates
from pipeline.training.seeding import derive_seed
from pipeline.training.stream import BatchStream


@dataclass(frozen=True)
class SupernetData:
    """The training split in two disjoint halves: for the weights, and for α, β and γ."""

    classes: tuple[str, ...]
    streams: tuple[BatchStream, BatchStream]

    loss = staticmethod(detection_loss)

    @classmethod
    def load(
        cls, folder: Path, around: Surroundings, settings: Alternation, seed: int
    ) -> SupernetData:
        """Open the training split of a prepared detection dataset."""
        index = DatasetIndex.load(folder / FILE_NAME)
        dataset = build_dataset(
            index.split("train"), list(index.classes), around.detector, train=True
        )
        weights, architecture = (
            BatchStream(
                Subset(dataset, half),
                settings.batch_size,
                derive_seed(seed, name),
                workers=settings.workers,
                collate=pseudo_collate,
            )
            for name, half in zip(
                ("weights", "architecture"), halves(range(len(dataset)), seed), strict=True
            )
        )
        return cls(index.classes, (weights, architecture))


@dataclass(frozen=True)
class Supernet:
    """A detection supernet: its model, its architecture, and per component its choice layers."""

    model: nn.Module
    architecture: Architecture
    choices: dict[str, list[ChoiceLayer]]


def detection_supernet(
    shape: SupernetConfig,
    depth: Depths,
    operations: Mapping[str, Operations],
    around: Surroundings,
    *,
    classes: int,
    backbone: Path | None,
    paths: Mapping[str, int | None],
    device: torch.device,
) -> Supernet:
    """Build a detection supernet, on a pretrained backbone supernet where there is one.

    Args:
        shape: the `supernet` section.
        depth: blocks in each backbone stage.
        operations: per component one operation, or the candidates.
        around: box sampling and normalisation.
        classes: object classes.
        backbone: folder of the pretrained backbone supernet, which may hold more candidates; without
            it the backbone keeps its initialisation.
        paths: per component the candidates a training step runs in each layer; all where `None`.
        device: where to train.
    """
    architecture = supernet_architecture(shape, classes, depth, operations)
    model: Any = build_detector(architecture, around, execution=shape.execution)
    if backbone is not None:
        load_candidates(model.backbone, *pretrained_weights(backbone))
    model.to(device)
    sample_by_image(model)
    choices = {
        component: list(layers.values())
        for component, layers in component_choices(model).items()
        if layers
    }
    for component, layers in choices.items():
        for layer in layers:
            layer.paths = paths[component]
    return Supernet(model, architecture, choices)


def search_supernet(
    shape: SupernetConfig,
    folders: Mapping[str, Path],
    around: Surroundings,
    classes: int,
    paths: int | None,
    device: torch.device,
) -> Supernet:
    """The supernet of the search: all components hold their sub search spaces, at the search's depth.

    Args:
        shape: the `supernet` section.
        folders: by component that of its sub search space; `supernet` is the pretrained backbone's,
            where there is one.
        around: as of `detection_supernet`, as all that follows.
        classes: object classes.
        paths: candidates that a training step runs in each layer; all where `None`.
        device: where to train.
    """
    return detection_supernet(
        shape,
        shape.depth,
        {component: kept_operations(folders[component]) for component in COMPONENTS},
        around,
        classes=classes,
        backbone=folders.get("supernet"),
        paths=dict.fromkeys(COMPONENTS, paths),
        device=device,
    )
