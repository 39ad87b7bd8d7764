"""A trained pool on disk, and the teachers taken from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, load_weights, save_weights
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.recalibration import recalibrate
from pipeline.detection.resolutions import datasets_at
from pipeline.search_space.architecture import ARCHITECTURE
from pipeline.supernet.weights import load_strictly
from pipeline.teacher_pool.detector import ElasticDetector, StandaloneDetector
from pipeline.teacher_pool.space import POOL, Subnet, load_space


def pool_files(elastic: ElasticDetector) -> dict[str, Content]:
    """The files of a pool: its space, the largest net's architecture, and the weights of all."""
    space = elastic.space
    described = {
        "format": 1,
        "classes": space.classes,
        "space": space.shape.model_dump(mode="json"),
        "subnets": space.size(),
    }
    weights = elastic.model.state_dict()
    return {
        POOL: json_bytes(described),
        ARCHITECTURE: json_bytes(elastic.architecture.model_dump(mode="json")),
        WEIGHTS: lambda path: save_weights(path, dict(weights)),
    }


def load_pool(
    folder: Path, around: Surroundings, device: torch.device | str = "cpu"
) -> ElasticDetector:
    """The elastic detector of a published phase, its largest net active.

    Raises:
        ArtifactError: a file is missing or not what it should be.
        WeightsMismatchError: the weights are not of this pool.
    """
    elastic = ElasticDetector(load_space(folder), around)
    load_strictly(elastic.model, load_weights(folder / WEIGHTS)[0], folder / WEIGHTS)
    elastic.model.to(device)
    return elastic


def extract_teacher(
    elastic: ElasticDetector,
    subnet: Subnet,
    around: Surroundings,
    dataset: Any,
    settings: Recalibration,
    device: torch.device | str = "cpu",
) -> tuple[Any, StandaloneDetector]:
    """A subnet on its own, its batch statistics measured anew, ready to be evaluated or to teach.

    Args:
        elastic: the pool; the subnet is active in it afterwards.
        subnet: of the pool's space.
        around: box sampling and normalisation.
        dataset: a test dataset at the subnet's resolution, of training images.
        settings: on how many images.
        device: where the teacher will run.

    Returns:
        The mmdet detector in eval mode, and the same as architecture and weights.
    """
    elastic.set_active_subnet(subnet)
    alone = elastic.get_active_subnet()
    model: Any = build_detector(alone.architecture, around)
    model.load_state_dict(alone.weights)
    model.to(device).eval()
    recalibrate(model, _batches(dataset, settings.batch_size), settings.images)
    weights: Mapping[str, torch.Tensor] = model.state_dict()
    return model, StandaloneDetector(alone.architecture, dict(weights))


def teacher_of(
    elastic: ElasticDetector,
    subnet: Subnet,
    around: Surroundings,
    index: DatasetIndex,
    settings: Recalibration,
    device: torch.device | str = "cpu",
) -> tuple[Any, StandaloneDetector]:
    """`extract_teacher`, its statistics measured on the dataset's training images at its resolution."""
    (images,) = datasets_at(
        [subnet.resolution], index.split("train"), list(index.classes), around.detector, train=False
    )
    return extract_teacher(elastic, subnet, around, images, settings, device)


def largest_teacher(
    folder: Path,
    around: Surroundings,
    index: DatasetIndex,
    settings: Recalibration,
    device: torch.device | str = "cpu",
) -> Any:
    """The largest net of a published pool as a teacher: an mmdet detector in eval mode, recalibrated."""
    pool = load_pool(folder, around, device)
    return teacher_of(pool, pool.space.largest, around, index, settings, device)[0]


def _batches(dataset: Any, size: int) -> Any:
    for start in range(0, len(dataset), size):
        yield pseudo_collate([dataset[k] for k in range(start, min(start + size, len(dataset)))])
