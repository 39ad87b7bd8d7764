"""What distillation takes of mmdet's two-stage detectors: a student's forward pass, a teacher's outputs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import roi_align

from pipeline.distillation.losses import DistillationError


@dataclass(frozen=True)
class StudentPass:
    """One forward pass of a student in training: its detection losses, and what they came from.

    Attributes:
        losses: mmdet's named losses, as `detector.loss` gives them.
        maps: the neck's feature maps of all levels, (B, C_S, H_l, W_l).
        rois: sampled proposals, (R, 5): number of the image, left, top, right, bottom.
        positives: the positive ones among them, (P, 5).
        logits: class logits at the proposals, (R, C + 1).
        boxes: regression outputs at the proposals, (R, 4 · C).
    """

    losses: dict[str, Any]
    maps: tuple[Tensor, ...]
    rois: Tensor
    positives: Tensor
    logits: Tensor
    boxes: Tensor


def student_pass(student: Any, images: Tensor, samples: list[Any]) -> StudentPass:
    """Run a two-stage detector in training, as its own `loss` does, and keep what it computes.

    The steps are those of mmdet's `TwoStageDetector.loss` and `StandardRoIHead.loss`: with the same
    random state the losses are the same, bit for bit.

    Args:
        student: the detector, in training mode.
        images: preprocessed, (B, 3, H, W).
        samples: mmdet's data samples with the true objects.
    """
    from mmdet.models.utils import unpack_gt_instances
    from mmdet.structures.bbox import bbox2roi

    maps = student.extract_feat(images)
    classless = copy.deepcopy(samples)
    for sample in classless:
        sample.gt_instances.labels = torch.zeros_like(sample.gt_instances.labels)
    losses, proposals = student.rpn_head.loss_and_predict(
        maps, classless, proposal_cfg=student.train_cfg.rpn_proposal
    )
    head = student.roi_head
    sampled = []
    objects, ignored, _ = unpack_gt_instances(samples)
    for number, (boxes, truth, ignore) in enumerate(zip(proposals, objects, ignored, strict=True)):
        boxes.priors = boxes.pop("bboxes")
        assigned = head.bbox_assigner.assign(boxes, truth, ignore)
        sampled.append(
            head.bbox_sampler.sample(
                assigned, boxes, truth, feats=[level[number][None] for level in maps]
            )
        )
    results = head.bbox_loss(maps, sampled)
    return StudentPass(
        losses={**losses, **results["loss_bbox"]},
        maps=maps,
        rois=bbox2roi([result.priors for result in sampled]),
        positives=bbox2roi([result.pos_priors for result in sampled]),
        logits=results["cls_score"],
        boxes=results["bbox_pred"],
    )


@dataclass(frozen=True)
class TeacherView:
    """What a teacher computed of a batch, for any number of students on the same batch.

    Attributes:
        teacher: the detector, in eval mode.
        maps: its neck's feature maps of all levels, (B, C_T, H_l, W_l), without gradients.
    """

    teacher: Any
    maps: tuple[Tensor, ...]

    @torch.no_grad()
    def heads(self, rois: Tensor) -> tuple[Tensor, Tensor]:
        """The RoI head's logits (R, C + 1) and boxes (R, 4 · C) at a student's proposals (R, 5)."""
        extractor = self.teacher.roi_head.bbox_roi_extractor
        return self.teacher.roi_head.bbox_head(extractor(self.maps[: extractor.num_inputs], rois))


@torch.no_grad()
def observe(teacher: Any, images: Tensor) -> TeacherView:
    """Run a teacher's backbone and neck on a batch.

    Teacher and students see the same tensor, so at the same resolution and normalisation: proposals
    of one are places in the maps of the other.

    Args:
        teacher: a two-stage detector; it is put into eval mode, and left in it.
        images: preprocessed, (B, 3, H, W).
    """
    teacher.eval()
    return TeacherView(teacher, tuple(teacher.extract_feat(images)))


def pool_all_levels(
    maps: Sequence[Tensor], rois: Tensor, strides: Sequence[int], size: int
) -> list[Tensor]:
    """RoIAlign every proposal on every pyramid level, whatever its size.

    Args:
        maps: (B, C, H_l, W_l) of each level.
        rois: (P, 5), in pixels of the image.
        strides: of the levels, in pixels.
        size: S, side of the result.

    Returns:
        Of each level (P, C, S, S).
    """
    return [
        roi_align(level, rois.to(level.dtype), size, 1 / stride, sampling_ratio=-1, aligned=True)
        for level, stride in zip(maps, strides, strict=True)
    ]


def pyramid_strides(detector: Any) -> list[int]:
    """Strides of all levels of a two-stage detector's pyramid."""
    return [int(stride[0]) for stride in detector.rpn_head.prior_generator.strides]


def check_pair(student: Any, teacher: Any) -> None:
    """Make sure that two detectors' outputs can be compared; widths, depths and RoI sizes may differ.

    Raises:
        DistillationError: one is not a two-stage detector with one class-aware RoI head, or they
            differ in classes, pyramid strides or the encoding of boxes.
    """
    from mmdet.models.roi_heads import StandardRoIHead

    for role, detector in (("student", student), ("teacher", teacher)):
        # a cascade has several heads, and is none of these
        if not isinstance(getattr(detector, "roi_head", None), StandardRoIHead):
            raise DistillationError(
                f"the {role}, a {type(detector).__name__}, has no single RoI head: distillation "
                "takes two-stage detectors with mmdet's StandardRoIHead (Faster R-CNN)"
            )
        if detector.roi_head.bbox_head.reg_class_agnostic:
            raise DistillationError(
                f"the {role}'s boxes are class-agnostic: distillation compares the boxes of each "
                "class (Joint-DetNAS, section 3.2.2)"
            )
    facts = [
        {
            "classes": detector.roi_head.bbox_head.num_classes,
            "pyramid strides": pyramid_strides(detector),
            "box encoding": (
                tuple(detector.roi_head.bbox_head.bbox_coder.means),
                tuple(detector.roi_head.bbox_head.bbox_coder.stds),
            ),
        }
        for detector in (student, teacher)
    ]
    for name, value in facts[0].items():
        if value != facts[1][name]:
            raise DistillationError(
                f"student and teacher must have the same {name}: {value} and {facts[1][name]}"
            )
