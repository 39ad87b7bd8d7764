"""What distillation takes of mmdet's two-stage detectors: a student's forward pass, a teacher's outputs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

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

    The steps are those of mmdet's `TwoStageDetector.loss` and `StandardRoIHead.loss`, or
    `CascadeRoIHead.loss`: with the same random state the losses are the same, bit for bit. Of a
    cascade, proposals and outputs are those of its first stage.

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
    truth = unpack_gt_instances(samples)
    if not _is_cascade(head):
        sampled = _sampled(head.bbox_assigner, head.bbox_sampler, maps, proposals, truth)
        results = head.bbox_loss(maps, sampled)
        losses = {**losses, **results["loss_bbox"]}
    else:
        sampled, results, further = _cascade_pass(head, maps, proposals, truth)
        losses = {**losses, **further}
    return StudentPass(
        losses=losses,
        maps=maps,
        rois=bbox2roi([result.priors for result in sampled]),
        positives=bbox2roi([result.pos_priors for result in sampled]),
        logits=results["cls_score"],
        boxes=results["bbox_pred"],
    )


def _is_cascade(head: Any) -> bool:
    return hasattr(head, "num_stages")


def first_box_head(detector: Any) -> Any:
    """The layers on RoI features of a two-stage detector; of a cascade, its first stage's."""
    head = detector.roi_head
    return head.bbox_head[0] if _is_cascade(head) else head.bbox_head


def _sampled(
    assigner: Any,
    sampler: Any,
    maps: Sequence[Tensor],
    proposals: list[Any],
    truth: tuple[Any, ...],
) -> list[Any]:
    """The proposals of each image that a RoI head trains on."""
    objects, ignored, _ = truth
    sampled = []
    for number, (boxes, found, ignore) in enumerate(zip(proposals, objects, ignored, strict=True)):
        boxes.priors = boxes.pop("bboxes")
        assigned = assigner.assign(boxes, found, ignore)
        sampled.append(
            sampler.sample(assigned, boxes, found, feats=[level[number][None] for level in maps])
        )
    return sampled


def _cascade_pass(
    head: Any, maps: Sequence[Tensor], proposals: list[Any], truth: tuple[Any, ...]
) -> tuple[list[Any], Any, dict[str, Any]]:
    """Samples and results of a cascade's first stage, and the losses of all."""
    boxes, passes, losses = proposals, [], {}
    for stage, weight in enumerate(head.stage_loss_weights):
        sampled = _sampled(head.bbox_assigner[stage], head.bbox_sampler[stage], maps, boxes, truth)
        results = head.bbox_loss(stage, maps, sampled)
        passes.append((sampled, results))
        for name, value in results["loss_bbox"].items():
            losses[f"s{stage}.{name}"] = weight * value if "loss" in name else value
        if stage < head.num_stages - 1:
            with torch.no_grad():
                boxes = head.bbox_head[stage].refine_bboxes(sampled, results, truth[2])
            # no box is left to refine
            if boxes is None:
                break
    return (*passes[0], losses)


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
    # The kernel itself, as for mmcv: where deterministic algorithms are wished, `torchvision.ops` takes
    # another way on GPUs, whose backward pass would hold (P, C, S, S, H, W) numbers.
    kernel = torch.ops.torchvision.roi_align
    return [
        kernel(level, rois.to(level.dtype), 1 / stride, size, size, -1, True)
        for level, stride in zip(maps, strides, strict=True)
    ]


def pyramid_strides(detector: Any) -> list[int]:
    """Strides of all levels of a two-stage detector's pyramid."""
    return [int(stride[0]) for stride in detector.rpn_head.prior_generator.strides]


def check_pair(student: Any, teacher: Any) -> None:
    """Make sure that two detectors' outputs can be compared; widths, depths and RoI sizes may differ.

    Of a student that is a cascade the first stage is compared.

    Raises:
        DistillationError: the teacher is not a two-stage detector with one class-aware RoI head, the
            student not that or a cascade of them, or they differ in classes, pyramid strides or the
            encoding of boxes.
    """
    from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead

    allowed = {"student": (StandardRoIHead, CascadeRoIHead), "teacher": (StandardRoIHead,)}
    for role, detector in (("student", student), ("teacher", teacher)):
        if not isinstance(getattr(detector, "roi_head", None), allowed[role]):
            raise DistillationError(
                f"the {role}, a {type(detector).__name__}, has no RoI head that distillation knows: it "
                "takes two-stage detectors with mmdet's StandardRoIHead (Faster R-CNN), as students "
                "also those with its CascadeRoIHead"
            )
        if first_box_head(detector).reg_class_agnostic:
            raise DistillationError(
                f"the {role}'s boxes are class-agnostic: distillation compares the boxes of each "
                "class (Joint-DetNAS, section 3.2.2)"
            )
    facts = [
        {
            "classes": first_box_head(detector).num_classes,
            "pyramid strides": pyramid_strides(detector),
            "box encoding": (
                tuple(first_box_head(detector).bbox_coder.means),
                tuple(first_box_head(detector).bbox_coder.stds),
            ),
        }
        for detector in (student, teacher)
    ]
    for name, value in facts[0].items():
        if value != facts[1][name]:
            raise DistillationError(
                f"student and teacher must have the same {name}: {value} and {facts[1][name]}"
            )
