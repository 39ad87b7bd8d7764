"""A detector's training loss. Apart from training, so that searches do not depend on evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

Losses = Callable[[Tensor, list[Any]], dict[str, Any]]
"""(preprocessed images (B, 3, H, W), mmdet's data samples) → named losses, as `detector.loss` gives them."""


def detection_loss(
    model: Any, batch: Any, losses: Losses | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of a detector's losses on a batch of its training dataset, and each of them.

    Args:
        model: an mmdet detector, in training mode.
        batch: as the stream gives it.
        losses: what to sum; the detector's own by default.

    Returns:
        The scalar to minimise, and the numbers to log, scalars without gradients: `loss` and mmdet's
        named parts.
    """
    return summed_losses(model, *preprocess(model, batch), losses)


def preprocess(model: Any, batch: Any) -> tuple[Tensor, list[Any]]:
    """A batch as the detector takes it, on its device: images (B, 3, H, W), and mmdet's data samples."""
    data = model.data_preprocessor(batch, True)
    return data["inputs"], data["data_samples"]


def summed_losses(
    model: Any, images: Tensor, samples: list[Any], losses: Losses | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """`detection_loss` of a batch that was preprocessed already, for several passes over one batch.

    Args:
        model: see `detection_loss`.
        images: preprocessed, (B, 3, H, W).
        samples: mmdet's data samples with the true objects.
        losses: see `detection_loss`.

    Returns:
        As `detection_loss`.
    """
    loss, parts = model.parse_losses((losses or model.loss)(images, samples))
    return loss, {name: value.detach() for name, value in parts.items()}
