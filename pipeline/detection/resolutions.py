"""Training images whose resolution is drawn anew for every step (Joint-DetNAS, section 3.1.2).

Any resolution will do: the detector's preprocessor pads a batch to its largest image, and that to a
multiple of 32 pixels, in training and in testing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose, pseudo_collate

from pipeline.config.detector import DetectorConfig
from pipeline.data.index import SplitPaths
from pipeline.detection.dataset import build_dataset, test_transforms, train_transforms
from pipeline.training.seeding import derive_seed
from pipeline.training.stream import BatchStream, Position


def datasets_at(
    resolutions: Sequence[tuple[int, int]],
    split: SplitPaths,
    classes: list[str],
    settings: DetectorConfig,
    *,
    train: bool,
) -> list[Any]:
    """The mmdet dataset of a split at several resolutions; they share the annotations in memory.

    Args:
        resolutions: longest and shortest side, pixels, in place of `settings.image_scale`.
        split: where the split lies.
        classes: class names, in the order of labels.
        settings: the `detector` section.
        train: with the transforms of training, or of testing.
    """
    dataset = build_dataset(split, classes, settings, train=train)
    transforms = train_transforms if train else test_transforms
    copies = []
    for resolution in resolutions:
        resized = copy.copy(dataset)
        resized.pipeline = Compose(
            transforms(settings.model_copy(update={"image_scale": resolution}))
        )
        copies.append(resized)
    return copies


class _Stacked:
    """Datasets of the same items: item `choice · len + index` is item `index` of dataset `choice`."""

    def __init__(self, datasets: Sequence[Any]) -> None:
        self.datasets = datasets

    def __len__(self) -> int:
        return len(self.datasets[0])

    def __getitem__(self, position: int) -> Any:
        choice, index = divmod(position, len(self))
        return self.datasets[choice][index]


class MultiResolutionStream(BatchStream):
    """Batches of one resolution each, drawn as a function of (seed, iteration).

    The images of a batch do not depend on the resolutions: an epoch sees every image once.

    Args:
        datasets: the same images at each resolution (`datasets_at`).
        batch_size: images a batch.
        seed: the stream's own seed.
        workers: loading processes.
        collate: makes a batch of a list of samples.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        batch_size: int,
        seed: int,
        *,
        workers: int = 0,
        collate: Callable[[list[Any]], Any] | None = pseudo_collate,
    ) -> None:
        super().__init__(_Stacked(datasets), batch_size, seed, workers=workers, collate=collate)
        self.choices = len(datasets)

    def choice(self, iteration: int) -> int:
        """Which of the datasets the batch of an iteration comes from; all equally likely."""
        generator = np.random.default_rng(derive_seed(self.seed, "resolution", iteration))
        return int(generator.integers(self.choices))

    def positions(self, iteration: int) -> list[Position]:
        """(epoch, position in all datasets one after another) of each sample of a batch."""
        offset = self.choice(iteration) * len(self.dataset)
        return [(epoch, offset + index) for epoch, index in super().positions(iteration)]
