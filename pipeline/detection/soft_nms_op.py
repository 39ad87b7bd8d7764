"""Soft-NMS (Bodla et al. 2017), which torchvision lacks: `mmcv._ext.softnms`."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.errors import DetSearchError

NAIVE, LINEAR, GAUSSIAN = range(3)
"""The weights of a box that overlaps a better one, as mmcv numbers them."""


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Suppress boxes by lowering their scores: the best box left lowers those of all that overlap it.

    A box's score is multiplied by f(IoU with the best one): 1 - IoU from the threshold on (linear), 0 from
    the threshold on (naive: hard suppression), or exp(-IoU² / sigma) (Gaussian, Eq. 3 of the paper). What
    falls below `min_score` is removed. Of equal scores the first comes first.

    Args:
        boxes: (N, 4) as x1, y1, x2, y2, on the CPU.
        scores: (N,).
        dets: buffer (N, 5); the first K rows become the kept boxes with their lowered scores, best first.
        iou_threshold: N_t of the paper.
        sigma: of the Gaussian.
        min_score: below it a box is removed.
        method: 0 naive, 1 linear, 2 Gaussian.
        offset: 1 for the legacy convention in which a width is x2 - x1 + 1, else 0.

    Returns:
        Indices of the kept boxes, (K,), int64.

    Raises:
        DetSearchError: there is no such method.
    """
    if method not in (NAIVE, LINEAR, GAUSSIAN):
        raise DetSearchError(f"soft NMS has the methods 0, 1 and 2, not {method}")
    scores = scores.clone()
    left = torch.arange(len(boxes))
    areas = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    kept: list[Tensor] = []
    while len(left):
        place = scores[left].argmax()
        best = left[place]
        dets[len(kept), :4], dets[len(kept), 4] = boxes[best], scores[best]
        kept.append(best)
        left = torch.cat([left[:place], left[place + 1 :]])
        corner = torch.maximum(boxes[best, :2], boxes[left, :2])
        sides = (torch.minimum(boxes[best, 2:], boxes[left, 2:]) - corner + offset).clamp_min(0)
        shared = sides.prod(1)
        overlap = shared / (areas[best] + areas[left] - shared)
        scores[left] *= _weights(overlap, iou_threshold, sigma, method)
        left = left[scores[left] >= min_score]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)


def _weights(overlap: Tensor, iou_threshold: float, sigma: float, method: int) -> Tensor:
    if method == GAUSSIAN:
        return torch.exp(-(overlap**2) / sigma)
    lowered = 1 - overlap if method == LINEAR else torch.zeros_like(overlap)
    return torch.where(overlap >= iou_threshold, lowered, torch.ones_like(overlap))
