"""Training a student with its teacher: a task of the training loop (Joint-DetNAS, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from pipeline.config.detector import DetectorConfig
from pipeline.config.distillation import Resolution, StudentTrainingConfig
from pipeline.data.index import DatasetIndex
from pipeline.detection.evaluation import validate
from pipeline.detection.loss import detection_loss
from pipeline.detection.resolutions import MultiResolutionStream, datasets_at
from pipeline.distillation.losses import batch_norm_sparsity
from pipeline.distillation.task import TaughtTask
from pipeline.training.loop import Record
from pipeline.training.task import Pass


class StudentTraining(TaughtTask[StudentTrainingConfig]):
    """Minimises L = L_det + L_feat + L_cls + L_reg + λ · L_BN, each step at one drawn resolution.

    After the last epoch the student is validated at every resolution. The student's `state_dict` holds
    the detector alone: the adaptation layer is the task's, and stays behind.

    Args:
        student: an mmdet detector, on its device.
        teacher: a two-stage detector on the same device, its batch statistics in order; it is not
            changed. `None` trains without distillation.
        settings: weights, λ, resolutions, length and optimiser.
        train: training datasets at `settings.resolutions`, in their order (`datasets_at`).
        validation: the same in testing, and the COCO file with their truth.
        seed: of the data stream and the resolutions.

    Raises:
        DistillationError: teacher and student cannot be compared.
        ValueError: there is not one dataset for each resolution.
    """

    def __init__(
        self,
        student: Any,
        teacher: Any | None,
        settings: StudentTrainingConfig,
        train: Sequence[Any],
        validation: tuple[Sequence[Any], Path],
        seed: int,
    ) -> None:
        for name, datasets in (("training", train), ("validation", validation[0])):
            if len(datasets) != len(settings.resolutions):
                raise ValueError(
                    f"{len(datasets)} {name} datasets for {len(settings.resolutions)} resolutions"
                )
        stream = MultiResolutionStream(train, settings.batch_size, seed, workers=settings.workers)
        super().__init__(student, teacher, settings, settings.distillation, stream)
        self.student, self.validation = student, validation
        self.metrics: list[dict[str, Any]] = []

    def passes(self, iteration: int, batch: Any) -> list[Pass]:
        """One, whose loss is L."""
        return [lambda: detection_loss(self.student, batch, self._weighted)]

    def _weighted(self, images: Tensor, samples: list[Any]) -> dict[str, Tensor | list[Tensor]]:
        """All terms of L, weighted, by the names under which they are logged."""
        losses = self.losses(images, samples, self.observed(images))
        if self.settings.sparsity:
            sparsity = batch_norm_sparsity(self.student.backbone)
            losses["loss_sparsity"] = self.settings.sparsity * sparsity
        return losses

    def end_epoch(self, epoch: int) -> Record:
        """After the last epoch: AP at every resolution; `metrics` holds all of COCO's numbers."""
        if epoch != self.settings.epochs:
            return {}
        datasets, annotations = self.validation
        self.metrics = [
            {
                "resolution": list(resolution),
                **validate(self.student, dataset, annotations, self.settings),
            }
            for resolution, dataset in zip(self.settings.resolutions, datasets, strict=True)
        ]
        return {
            f"AP/{resolution_name(resolution)}": numbers["AP"]
            for resolution, numbers in zip(self.settings.resolutions, self.metrics, strict=True)
            if numbers["AP"] is not None
        }


def student_training(
    student: Any,
    teacher: Any | None,
    settings: StudentTrainingConfig,
    index: DatasetIndex,
    images: DetectorConfig,
    seed: int,
) -> StudentTraining:
    """The training of a student on a dataset's training split, validated on its val split.

    Args:
        student: see `StudentTraining`.
        teacher: the same.
        settings: the same.
        index: of the dataset.
        images: how they enter, at `settings.resolutions` instead of `image_scale`.
        seed: of the data stream and the resolutions.
    """
    train, val = index.split("train"), index.split("val")
    at, classes = settings.resolutions, list(index.classes)
    return StudentTraining(
        student,
        teacher,
        settings,
        datasets_at(at, train, classes, images, train=True),
        (datasets_at(at, val, classes, images, train=False), val.annotations),
        seed,
    )


def resolution_name(resolution: Resolution) -> str:
    """Longest × shortest side, as logs name it: `1333x800`."""
    return "x".join(map(str, resolution))
