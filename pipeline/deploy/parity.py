"""Whether an exported detector finds what the PyTorch detector finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from numpy.typing import NDArray
from torch.nn import functional

from pipeline.deploy.entrance import Entered
from pipeline.deploy.layers import ExportError
from pipeline.deploy.session import Found, OnnxDetector

PIXELS, SCORE = 1e-2, 1e-4
"""Two detections are the same if they have one label, and differ by no more."""
TIES = 0.01
"""The part of all detections that may have no counterpart: where two scores, or an overlap and its
threshold, are equal but for rounding, the one or the other box is kept, in either."""


@dataclass(frozen=True)
class Parity:
    """How the detections of two runtimes compare.

    Attributes:
        images: how many were compared.
        detections: PyTorch's, on all of them.
        unmatched: detections of either that the other has not, times one half.
        pixels: the largest difference of a coordinate, among those that both have.
        score: the same of a score.
    """

    images: int
    detections: int
    unmatched: float
    pixels: float
    score: float

    def __str__(self) -> str:
        return (
            f"{self.images} images, {self.detections} detections: largest difference {self.pixels:.1e} "
            f"pixels, {self.score:.1e} in score; without counterpart: {self.unmatched:g}"
        )

    def check(self) -> None:
        """Raise `ExportError` where more detections differ than ties explain."""
        if self.unmatched > max(1.0, TIES * self.detections):
            raise ExportError(
                f"the exported detector finds something else than PyTorch's: of {self.detections} "
                f"detections on {self.images} images {self.unmatched:g} have no counterpart within "
                f"{PIXELS} pixels and {SCORE} in score"
            )


@torch.no_grad()
def detect_in_torch(model: Any, entered: Entered) -> Found:
    """Mmdet's own detections of an image that has entered, in the pixels of that.

    Args:
        model: an mmdet detector in eval mode.
        entered: padded or not; the padding is made anew, as mmdet makes it.
    """
    rows, columns = entered.extent
    sample: Any = DetDataSample(
        metainfo={
            "img_shape": entered.extent,
            "ori_shape": entered.extent,
            "scale_factor": (1.0, 1.0),
        }
    )
    pixels = torch.from_numpy(entered.pixels[0, ::-1, :rows, :columns].copy())
    data = model.data_preprocessor({"inputs": [pixels], "data_samples": [sample]}, False)
    height, width = entered.pixels.shape[-2:]
    there = data["inputs"].shape[-2:]
    below, right = max(height - there[0], 0), max(width - there[1], 0)
    inputs = functional.pad(data["inputs"], (0, right, 0, below))
    found = model.predict(inputs, data["data_samples"])[0].pred_instances.cpu().numpy()
    return Found(found.bboxes, found.scores, found.labels)


def compare(model: Any, exported: OnnxDetector, images: Iterable[NDArray[np.uint8]]) -> Parity:
    """Run both on images (h, w, 3), RGB.

    Args:
        model: an mmdet detector in eval mode, on the CPU.
        exported: what was made of it.
        images: of several sizes, where the graph takes them.
    """
    number, detections, unmatched, pixels, score = 0, 0, 0, 0.0, 0.0
    for image in images:
        entered = exported.enter(image)
        ours, theirs = exported.run(entered), detect_in_torch(model, entered)
        pairs = matched(theirs, ours)
        number += 1
        detections += len(theirs.scores)
        unmatched += len(theirs.scores) + len(ours.scores) - 2 * len(pairs)
        if pairs:
            left, right = map(list, zip(*pairs, strict=True))
            pixels = max(pixels, float(np.abs(theirs.bboxes[left] - ours.bboxes[right]).max()))
            score = max(score, float(np.abs(theirs.scores[left] - ours.scores[right]).max()))
    return Parity(number, detections, unmatched / 2, pixels, score)


def matched(one: Found, other: Found) -> list[tuple[int, int]]:
    """Pairs of numbers of detections that are the same; each detection is in one pair at most."""
    boxes = np.abs(one.bboxes[:, None] - other.bboxes[None]).max(axis=2, initial=0.0)
    scores = np.abs(one.scores[:, None] - other.scores[None])
    same = (boxes <= PIXELS) & (scores <= SCORE) & (one.labels[:, None] == other.labels[None])
    pairs, taken = [], set()
    for left, candidates in enumerate(same):
        free = [int(right) for right in np.flatnonzero(candidates) if int(right) not in taken]
        if free:
            nearest = min(free, key=lambda right: boxes[left, right])
            taken.add(nearest)
            pairs.append((left, nearest))
    return pairs
