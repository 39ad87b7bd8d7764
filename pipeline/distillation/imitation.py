"""Fine-grained feature imitation, the published distillation for detectors that Table 3 compares with.

Wang et al., *Distilling Object Detectors with Fine-grained Feature Imitation*, CVPR 2019: a student imitates
its teacher's features where anchors lie near true objects.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchvision.ops
from torch import Tensor
from torch.nn import functional

NEAR = 0.5
"""ψ: anchors that overlap an object by more than this share of its best anchor's IoU are near it."""


def imitation_masks(
    anchors: Sequence[Tensor], sizes: Sequence[tuple[int, int]], objects: Sequence[Tensor]
) -> list[Tensor]:
    """Where features are imitated: at a point whose anchors include one near an object.

    Of each object the threshold is ψ times the IoU of its best anchor on any level (the paper has one level).

    Args:
        anchors: of each pyramid level, (H_l · W_l · A, 4), point by point, row by row.
        sizes: (H_l, W_l) of each level.
        objects: true boxes of each image, (G, 4); G may be 0.

    Returns:
        Of each level a mask of points, (B, H_l, W_l).
    """
    masks = [
        torch.zeros((len(objects), height, width), dtype=torch.bool, device=level.device)
        for level, (height, width) in zip(anchors, sizes, strict=True)
    ]
    everywhere = torch.cat(list(anchors))
    lengths = [len(level) for level in anchors]
    for image, boxes in enumerate(objects):
        if not len(boxes):
            continue
        overlaps = torchvision.ops.box_iou(everywhere, boxes)
        near = (overlaps > NEAR * overlaps.amax(0)).any(1)
        for mask, level in zip(masks, near.split(lengths), strict=True):
            mask[image] = level.reshape(*mask.shape[1:], -1).any(-1)
    return masks


def imitation_loss(
    student: Sequence[Tensor], teacher: Sequence[Tensor], masks: Sequence[Tensor]
) -> Tensor:
    """Squared distance of the maps at the points that are imitated.

    L = 1/(2 N_p) · Σ_l Σ_ij I_ij^l Σ_c (f_adap(s)_ijc^l − t_ijc^l)², N_p = Σ_l Σ_ij I_ij^l

    Args:
        student: adapted maps f_adap(s^l) of each level, (B, D, H_l, W_l).
        teacher: maps t^l of each level, (B, D, H_l, W_l).
        masks: I^l, (B, H_l, W_l).
    """
    # stays on the device: a number would make the host wait for each level
    points = torch.stack([mask.sum() for mask in masks]).sum().clamp(min=1)
    distances = [
        (functional.mse_loss(adapted, target, reduction="none") * mask[:, None]).sum()
        for adapted, target, mask in zip(student, teacher, masks, strict=True)
    ]
    return torch.stack(distances).sum() / (2 * points)
