"""Training the weights of a search supernet alone: each step with candidates drawn uniformly."""

from __future__ import annotations

from typing import Any

from mmengine.dataset import pseudo_collate
from torch import nn

from pipeline.config.hit_detector import SupernetTraining
from pipeline.detection.loss import detection_loss
from pipeline.training.stream import BatchStream
from pipeline.training.task import Pass, TrainingTask


class OneShotTraining(TrainingTask[SupernetTraining]):
    """α keeps its start, at which all candidates of a layer are equally probable.

    Args:
        model: the supernet, on its device, whose choice layers know how many candidates a step runs.
        settings: length, batch and optimiser.
        train: training dataset; an epoch is a pass over it.
        seed: of the data stream.
    """

    def __init__(self, model: nn.Module, settings: SupernetTraining, train: Any, seed: int) -> None:
        weights = []
        for name, parameter in model.named_parameters():
            if name.endswith("alpha"):
                parameter.requires_grad_(False)
            else:
                weights.append(parameter)
        stream = BatchStream(
            train, settings.batch_size, seed, workers=settings.workers, collate=pseudo_collate
        )
        super().__init__(model, settings, stream, weights)

    def passes(self, iteration: int, batch: Any) -> list[Pass]:
        """One, whose loss is the detector's."""
        return [lambda: detection_loss(self.model, batch)]
