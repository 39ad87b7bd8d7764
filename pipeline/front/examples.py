"""What detectors of a front find on single images, which `front.json` does not tell."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch

from pipeline.artifacts.manifest import Manifest
from pipeline.config.evaluation import Evaluating
from pipeline.detection.evaluation import Detection, detect
from pipeline.detection.resolutions import datasets_at
from pipeline.front.table import Row
from pipeline.front.taking import dataset_of, made_again


def found_on_images(
    run: Path,
    manifest: Manifest,
    evaluating: Evaluating,
    device: torch.device,
    row: Row,
    images: Collection[int],
) -> list[Detection]:
    """Detections of a detector of the front, made again as it was judged and at its resolution.

    Args:
        run: the run's folder.
        manifest: of the front.
        evaluating: says how many images are taken at once.
        device: where it detects.
        row: the detector.
        images: ids, of the split on which detectors of different origin are compared.

    Raises:
        DetSearchError: what it is made from is missing or altered.
    """
    index = dataset_of(run, manifest)
    model, _, _, around = made_again(run, row, manifest)
    split = index.split(index.evaluation_split)
    (dataset,) = datasets_at(
        [row.resolution], split, list(index.classes), around.detector, train=False
    )
    shown = [n for n in range(len(dataset)) if dataset.get_data_info(n)["img_id"] in images]
    return detect(model.to(device), dataset.get_subset(shown), evaluating.batch_size)
