"""What the trainings with a teacher share: its part in the loss, and the adaptation layer."""

from __future__ import annotations

from typing import Any, TypeVar

from torch import Tensor

from pipeline.config.distillation import DistillationConfig
from pipeline.config.optimization import Training
from pipeline.detection.resolutions import MultiResolutionStream
from pipeline.detection.sampling import sample_by_image
from pipeline.distillation.detectors import TeacherView, observe
from pipeline.distillation.distiller import Distiller
from pipeline.training.task import TrainingTask

S = TypeVar("S", bound=Training)


class TaughtTask(TrainingTask[S]):
    """Training of a detector on batches of several resolutions, with a teacher or without.

    The adaptation layer is trained beside the detector, and is saved in checkpoints only.

    Args:
        model: an mmdet detector, on its device; an elastic one at its widest.
        teacher: a two-stage detector on the same device, its batch statistics in order; it is not
            changed. `None`, or a `distillation` that weighs nothing, trains without distillation.
        settings: length, batch and optimiser.
        distillation: weights of the distillation losses.
        stream: the training batches.

    Raises:
        DistillationError: teacher and student cannot be compared.
    """

    def __init__(
        self,
        model: Any,
        teacher: Any | None,
        settings: S,
        distillation: DistillationConfig,
        stream: MultiResolutionStream,
    ) -> None:
        self.teacher = teacher if distillation.teaches else None
        self.distiller: Distiller | None = None
        if self.teacher is not None:
            device = next(model.parameters()).device
            self.distiller = Distiller(model, self.teacher, distillation).to(device)
        adaptation = self.distiller.parameters() if self.distiller else ()
        super().__init__(model, settings, stream, [*model.parameters(), *adaptation])
        if self.distiller:
            self.saved["distiller"] = self.distiller
        self.stream: MultiResolutionStream = stream

    def start(self, iteration: int) -> None:
        """Let each image's boxes be drawn by themselves where several processes train, and begin."""
        sample_by_image(self.model)
        super().start(iteration)

    def observed(self, images: Tensor) -> TeacherView | None:
        """What the teacher, if there is one, computes of preprocessed images (B, 3, H, W)."""
        return None if self.teacher is None else observe(self.teacher, images)

    def losses(
        self, images: Tensor, samples: list[Any], view: TeacherView | None
    ) -> dict[str, Tensor | list[Tensor]]:
        """The named losses of the detector, and of its distillation where it has a teacher.

        Args:
            images: preprocessed, (B, 3, H, W).
            samples: mmdet's data samples with the true objects.
            view: `observed` of the same images.
        """
        model: Any = self.model
        if self.distiller is None or view is None:
            return model.loss(images, samples)
        return self.distiller(model, images, samples, view)
