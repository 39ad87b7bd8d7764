"""Training a detector: the task that the training loop runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dataset import pseudo_collate
from torch import nn

from pipeline.config.evaluation import TrainingConfig
from pipeline.detection.evaluation import coco_metrics, detect
from pipeline.detection.loss import detection_loss
from pipeline.detection.sampling import sample_by_image
from pipeline.training.distributed import share_statistics
from pipeline.training.loop import Record
from pipeline.training.optimization import build_optimizer, learning_rate, step_optimizer
from pipeline.training.stream import BatchStream


class DetectorTraining:
    """Supervised training of a detector, with a validation every few epochs.

    Args:
        model: an mmdet detector, on its device.
        settings: the `training` section.
        train: training dataset.
        validation: test dataset, and the COCO file with its truth.
        seed: of the data stream.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: TrainingConfig,
        train: Any,
        validation: tuple[Any, Path],
        seed: int,
    ) -> None:
        self.model, self.settings, self.validation = model, settings, validation
        self.stream = BatchStream(
            train, settings.batch_size, seed, workers=settings.workers, collate=pseudo_collate
        )
        self.epoch_length = self.stream.epoch_length
        self.iterations = settings.epochs * self.epoch_length
        self.optimizer = build_optimizer(model.parameters(), settings.optimizer)
        self.metrics: dict[str, Any] = {}
        self._batches: Iterator[Any] = iter(())

    def start(self, iteration: int) -> None:
        """Open the data stream."""
        share_statistics(self.model)
        sample_by_image(self.model)
        self.model.train()
        self._batches = self.stream.starting_at(iteration, self.iterations)

    def fetch(self, iteration: int) -> Any:
        """The next training batch."""
        return next(self._batches)

    def step(self, iteration: int, data: Any) -> Record:
        """One update of the weights."""
        rate = learning_rate(self.settings.optimizer, iteration, self.iterations, self.epoch_length)
        loss, record = detection_loss(self.model, data)
        step_optimizer(self.optimizer, loss, self.settings.optimizer, rate)
        return {**record, "lr": rate}

    def end_epoch(self, epoch: int) -> Record:
        """Validate, at the configured interval and after the last epoch."""
        if epoch % self.settings.validation_interval and epoch != self.settings.epochs:
            return {}
        dataset, annotations = self.validation
        detections = detect(self.model, dataset, self.settings.batch_size)
        self.metrics = coco_metrics(annotations, detections)
        return {
            name: self.metrics[name] for name in ("AP", "AP50") if self.metrics[name] is not None
        }

    def state_dict(self) -> dict[str, Any]:
        """Model and optimiser."""
        return {
            "model": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Model and optimiser."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
