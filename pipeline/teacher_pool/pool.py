"""A trained pool on disk, and the teachers taken from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, load_weights, save_weights
from pipeline.config.teacher_pool import Recalibration, Resolution
from pipeline.data.index import DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.recalibration import recalibrate
from pipeline.detection.resolutions import datasets_at
from pipeline.search_space.architecture import ARCHITECTURE
from pipeline.supernet.weights import load_strictly
from pipeline.teacher_pool.detector import ElasticDetector, StandaloneDetector
from pipeline.teacher_pool.space import POOL, PoolRecord, Subnet, load_space


def pool_files(elastic: ElasticDetector) -> dict[str, Content]:
    """The files of a pool: its space, the largest net's architecture, and the weights of all."""
    space = elastic.space
    described = PoolRecord(classes=space.classes, space=space.shape, subnets=space.size())
    weights = elastic.model.state_dict()
    return {
        POOL: json_bytes(described.model_dump(mode="json")),
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
    datasets: Sequence[Any],
    settings: Recalibration,
    device: torch.device | str = "cpu",
    statistics: Mapping[str, torch.Tensor] | None = None,
) -> tuple[Any, StandaloneDetector]:
    """A subnet on its own, its batch statistics measured anew, ready to be evaluated or to teach.

    Args:
        elastic: the pool; the subnet is active in it afterwards.
        subnet: of the pool's space.
        around: box sampling and normalisation.
        datasets: the same training images as test datasets, at each resolution at which the network
            will be used; batches come from them in turn, each image once.
        settings: on how many images.
        device: where the teacher will run.
        statistics: its `batch_statistics` where they were measured before; nothing is measured then.

    Returns:
        The mmdet detector in eval mode, and the same as architecture and weights.
    """
    elastic.set_active_subnet(subnet)
    alone = elastic.get_active_subnet()
    model: Any = build_detector(alone.architecture, around)
    model.load_state_dict({**alone.weights, **(statistics or {})})
    model.to(device).eval()
    if statistics is None:
        recalibrate(model, _batches(datasets, settings), settings.images)
    weights: Mapping[str, torch.Tensor] = model.state_dict()
    return model, StandaloneDetector(alone.architecture, dict(weights))


def teacher_of(
    elastic: ElasticDetector,
    subnet: Subnet,
    around: Surroundings,
    index: DatasetIndex,
    settings: Recalibration,
    device: torch.device | str = "cpu",
    *,
    teaches_at: Sequence[Resolution] | None = None,
    statistics: Mapping[str, torch.Tensor] | None = None,
) -> tuple[Any, StandaloneDetector]:
    """`extract_teacher`, its statistics measured on the dataset's training images.

    They are resized to the resolutions at which it teaches, or to its own where it does not.
    """
    images = datasets_at(
        teaches_at or [subnet.resolution],
        index.split("train"),
        list(index.classes),
        around.detector,
        train=False,
    )
    return extract_teacher(elastic, subnet, around, images, settings, device, statistics)


def largest_teacher(
    folder: Path,
    around: Surroundings,
    index: DatasetIndex,
    settings: Recalibration,
    teaches_at: Sequence[Resolution],
    device: torch.device | str = "cpu",
) -> Any:
    """The largest net of a published pool as a teacher: an mmdet detector in eval mode, recalibrated."""
    pool = load_pool(folder, around, device)
    largest = pool.space.largest
    return teacher_of(pool, largest, around, index, settings, device, teaches_at=teaches_at)[0]


def _batches(datasets: Sequence[Any], settings: Recalibration) -> Iterator[Any]:
    """Batches of one resolution each, as equal as they can be; every resolution has its turn."""
    images = min(settings.images, len(datasets[0]))
    number = min(images, max(len(datasets), math.ceil(images / settings.batch_size)))
    borders = [images * batch // number for batch in range(number + 1)]
    for batch, (start, end) in enumerate(pairwise(borders)):
        dataset = datasets[batch % len(datasets)]
        yield pseudo_collate([dataset[k] for k in range(start, end)])
