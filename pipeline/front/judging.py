"""Detectors judged on the splits of a dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import read_json
from pipeline.config.distillation import Resolution
from pipeline.config.front import FrontStage
from pipeline.config.optimization import COARSEST_STRIDE
from pipeline.data.index import FILE_NAME, DatasetIndex, Split
from pipeline.deploy.sample_images import evenly
from pipeline.detection.builder import Surroundings
from pipeline.detection.complexity import Complexity, detector_complexity
from pipeline.detection.evaluation import Detection, coco_metrics, detect
from pipeline.detection.resolutions import datasets_at
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import Architecture


@dataclass(frozen=True)
class Judge:
    """Where and how detectors are compared.

    Attributes:
        index: the dataset.
        around: box sampling, normalisation, selection of detections.
        batch_size: images at once.
        workers: processes that load them.
    """

    index: DatasetIndex
    around: Surroundings
    batch_size: int
    workers: int = 0

    def detections(
        self, model: Any, split: Split, resolution: Resolution, images: int | None = None
    ) -> tuple[list[Detection], list[int]]:
        """What a detector finds on a split.

        Args:
            model: an mmdet detector.
            split: of the dataset.
            resolution: longest and shortest side, pixels.
            images: how many, spread evenly; all where None.

        Returns:
            The detections, and the ids of the images.
        """
        place = self.index.split(split)
        (dataset,) = datasets_at(
            [resolution], place, list(self.index.classes), self.around.detector, train=False
        )
        chosen = evenly(len(dataset), images)
        if len(chosen) < len(dataset):
            dataset = dataset.get_subset(chosen)
        ids = [dataset.get_data_info(number)["img_id"] for number in range(len(dataset))]
        found = detect(model, dataset, self.batch_size, workers=self.workers)
        return found, ids

    def metrics(
        self,
        split: Split,
        detections: Sequence[Detection],
        images: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """COCO's numbers of detections, on all images of a split or on some.

        Raises:
            DetSearchError: there is no object to find.
        """
        numbers = coco_metrics(self.index.split(split).annotations, detections, images)
        if numbers["AP"] is None:
            raise DetSearchError(f"no AP: the images of {split} hold no objects to find")
        return numbers


def judge_of(settings: FrontStage, data: Path) -> Judge:
    """The judge of a stage, over the dataset in a folder."""
    return Judge(
        DatasetIndex.load(data / FILE_NAME),
        Surroundings(settings.detector, settings.testing, settings.normalization),
        settings.evaluating.batch_size,
        settings.evaluating.workers,
    )


def complexity_at(architecture: Architecture, resolution: Resolution, proposals: int) -> Complexity:
    """Cost of one image that fills a resolution, wider than high.

    Args:
        architecture: of the detector.
        resolution: longest and shortest side, pixels.
        proposals: at which the cost of a RoI head is counted.
    """
    # images are padded to multiples of it
    longest, shortest = (math.ceil(side / COARSEST_STRIDE) * COARSEST_STRIDE for side in resolution)
    return detector_complexity(architecture, proposals, (shortest, longest))


def image_paths(index: DatasetIndex, split: Split, images: int) -> list[Any]:
    """Files of some images of a split, spread evenly."""
    place = index.split(split)
    names = [image["file_name"] for image in read_json(place.annotations)["images"]]
    return [place.images / names[position] for position in evenly(len(names), images)]
