"""Detection and distillation losses of a student, from one forward pass (Joint-DetNAS, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from pipeline.config.distillation import DistillationConfig
from pipeline.distillation.detectors import (
    TeacherView,
    check_pair,
    first_box_head,
    pool_all_levels,
    pyramid_strides,
    student_pass,
)
from pipeline.distillation.imitation import imitation_loss, imitation_masks
from pipeline.distillation.losses import (
    DistillationError,
    box_loss,
    class_loss,
    feature_loss,
    relative_feature_loss,
)


class Adaptation(nn.Module):
    """f_adap: a 1×1 convolution from the student's channels to the teacher's, one for all levels.

    It begins as the identity on the channels that both have, so that features which agree already
    (those of one pool's subnets) begin at a small loss. A narrower student than it was made for uses
    the weights of its first channels: one layer serves all widths of an elastic student.

    Args:
        student_channels: of the student's pyramid, or of its widest one.
        teacher_channels: of the teacher's pyramid.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(student_channels, teacher_channels, 1)
        nn.init.dirac_(self.convolution.weight)
        assert self.convolution.bias is not None
        nn.init.zeros_(self.convolution.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(P, C, S, S) with C ≤ student_channels → (P, teacher_channels, S, S)."""
        channels, widest = features.shape[1], self.convolution.in_channels
        if channels > widest:
            raise DistillationError(
                f"the student's pyramid has {channels} channels, its adaptation takes at most {widest}"
            )
        return functional.conv2d(
            features, self.convolution.weight[:, :channels], self.convolution.bias
        )


class Distiller(nn.Module):
    """The losses of a student with a teacher: L_det + L_feat + L_cls + L_reg, named as mmdet names its own.

    The only parameters are the adaptation layer's: train them beside the student's. Neither detector
    is part of this module, and it is no part of them, so an exported student knows nothing of it.

    Args:
        student: a two-stage detector; an elastic one at its widest.
        teacher: a two-stage detector of the same classes; its widths and RoI size may be others.
        settings: weights of the terms.

    Raises:
        DistillationError: the two cannot be compared.
    """

    def __init__(self, student: Any, teacher: Any, settings: DistillationConfig) -> None:
        super().__init__()
        check_pair(student, teacher)
        self.settings = settings
        self.strides = pyramid_strides(student)
        # features are compared at the student's RoI size; each head pools at its own
        self.roi_size = int(first_box_head(student).roi_feat_size[0])
        self.adaptation = Adaptation(student.rpn_head.in_channels, teacher.rpn_head.in_channels)

    def forward(
        self, student: Any, images: Tensor, samples: list[Any], view: TeacherView
    ) -> dict[str, Any]:
        """Losses of a batch, from one forward pass of the student.

        Proposals come from the student's RPN, assigner and sampler. The heads of both are compared at
        all sampled proposals, the features at the positive ones.

        Args:
            student: the detector, in training mode; any of the widths that this was made for.
            images: preprocessed, (B, 3, H, W).
            samples: mmdet's data samples with the true objects.
            view: what the teacher computed of the same images (`observe`).

        Returns:
            mmdet's named detection losses, and `loss_kd_features`, `loss_kd_classes` and
            `loss_kd_boxes`, weighted, with a weight of `imitation` also `loss_kd_imitation`;
            `detector.parse_losses` sums them.
        """
        seen = student_pass(student, images, samples)
        logits, boxes = view.heads(seen.rois)
        features = [
            self.adaptation(level)
            for level in pool_all_levels(seen.maps, seen.positives, self.strides, self.roi_size)
        ]
        targets = pool_all_levels(view.maps, seen.positives, self.strides, self.roi_size)
        weights = self.settings
        distance = feature_loss if weights.feature_distance == "sum" else relative_feature_loss
        imitation = {}
        if weights.imitation:
            imitation["loss_kd_imitation"] = weights.imitation * self._imitation(
                student, seen.maps, view.maps, samples
            )
        return {
            **seen.losses,
            **imitation,
            "loss_kd_features": weights.features * distance(features, targets),
            "loss_kd_classes": weights.classes * class_loss(seen.logits, logits),
            "loss_kd_boxes": weights.boxes * box_loss(seen.boxes, boxes, logits),
        }

    def _imitation(
        self, student: Any, maps: Sequence[Tensor], targets: Sequence[Tensor], samples: list[Any]
    ) -> Tensor:
        sizes = [(level.shape[-2], level.shape[-1]) for level in maps]
        anchors = student.rpn_head.prior_generator.grid_priors(sizes, device=maps[0].device)
        objects = [sample.gt_instances.bboxes for sample in samples]
        masks = imitation_masks(anchors, sizes, objects)
        return imitation_loss([self.adaptation(level) for level in maps], targets, masks)
