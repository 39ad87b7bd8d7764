"""Batch statistics measured anew on a stated number of images, for networks whose weights were cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.errors import DetSearchError


@torch.no_grad()
def recalibrate(model: Any, batches: Iterable[Mapping[str, Any]], images: int) -> None:
    """Replace a detector's batch statistics by their mean over some images (Joint-DetNAS, section 4).

    Every norm normalises by its batch while the images pass, as in training, and its running mean and
    variance become the averages over the batches, each weighted by its images. All else runs as in
    testing, RPN and RoI head included, so a head may have norms, too. Draws no random numbers; the
    same batches give the same statistics. Leaves all modes and all parameters as they were.

    Args:
        model: an mmdet detector, on its device.
        batches: as `detect` and the training stream have them: lists `inputs` and `data_samples`.
        images: how many to use, in order; further ones are not fetched, the last batch is cut.

    Raises:
        DetSearchError: there are fewer images.
    """
    norms = list(_norms(model).values())
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    seen = 0
    try:
        model.eval()
        for norm in norms:
            norm.train()
            norm.reset_running_stats()
        source = iter(batches)
        while seen < images:
            batch = next(source, None)
            if batch is None:
                raise DetSearchError(
                    f"batch statistics were to be taken over {images} images, but there are only {seen}"
                )
            batch = {name: values[: images - seen] for name, values in batch.items()}
            count = len(batch["inputs"])
            seen += count
            for norm in norms:
                norm.momentum = count / seen
            data = model.data_preprocessor(batch, False)
            model(data["inputs"], data["data_samples"], mode="tensor")
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, training in modes.items():
            module.training = training


def batch_statistics(model: Any) -> dict[str, Tensor]:
    """The part of a detector's state dict that `recalibrate` measures: buffers of its batch norms."""
    return {
        f"{name}.{buffer}": value
        for name, norm in _norms(model).items()
        for buffer, value in norm.named_buffers()
    }


def _norms(model: Any) -> dict[str, _BatchNorm]:
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    }
