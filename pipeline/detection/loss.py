"""A detector's training loss. Apart from training, so that searches do not depend on evaluation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pipeline.training.loop import Record


def detection_loss(model: Any, batch: Any) -> tuple[Tensor, Record]:
    """The sum of a detector's losses on a batch of its training dataset, and each of them.

    Returns:
        The scalar to minimise, and the numbers to log: `loss` and mmdet's named parts.
    """
    data = model.data_preprocessor(batch, True)
    loss, parts = model.parse_losses(model.loss(data["inputs"], data["data_samples"]))
    return loss, {name: float(value.detach()) for name, value in parts.items()}
