"""Training a detector: the task that the training loop runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dataset import pseudo_collate
from torch import nn

from pipeline.config.evaluation import TrainingConfig
from pipeline.detection.evaluation import validate
from pipeline.detection.loss import detection_loss
from pipeline.detection.sampling import sample_by_image
from pipeline.training.loop import Record
from pipeline.training.stream import BatchStream
from pipeline.training.task import Pass, TrainingTask


class DetectorTraining(TrainingTask[TrainingConfig]):
    """Supervised training of a detector, with a validation every few epochs.

    Args:
        model: an mmdet detector, on its device.
        settings: the `training` section.
        train: training dataset.
        validation: test dataset, and the COCO file with its truth.
        seed: of the data stream.
        until: as of `TrainingTask`.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: TrainingConfig,
        train: Any,
        validation: tuple[Any, Path],
        seed: int,
        until: int | None = None,
    ) -> None:
        stream = BatchStream(
            train, settings.batch_size, seed, workers=settings.workers, collate=pseudo_collate
        )
        super().__init__(model, settings, stream, model.parameters(), until)
        self.validation = validation
        self.metrics: dict[str, Any] = {}

    def start(self, iteration: int) -> None:
        """Let each image's boxes be drawn by themselves where several processes train, and begin."""
        sample_by_image(self.model)
        super().start(iteration)

    def passes(self, iteration: int, batch: Any) -> list[Pass]:
        """One, whose loss is the detector's."""
        return [lambda: detection_loss(self.model, batch)]

    def end_epoch(self, epoch: int) -> Record:
        """Validate, at the configured interval and after the last epoch."""
        if epoch % self.settings.validation_interval and epoch != self.last_epoch:
            return {}
        self.metrics = validate(self.model, *self.validation, self.settings)
        return {
            name: self.metrics[name] for name in ("AP", "AP50") if self.metrics[name] is not None
        }
