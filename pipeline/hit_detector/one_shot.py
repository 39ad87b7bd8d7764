"""One-shot scores: how good the paths of a trained supernet are, without training them (Guo et al. 2020).

A path takes one candidate in each layer, with the supernet's weights. Its batch statistics are measured
anew before it is judged: those of the supernet are a mixture over all paths, and fit none.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.artifacts.weights import WEIGHTS, load_weights
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.dataset import build_dataset, test_transforms
from pipeline.detection.evaluation import coco_metrics, detect
from pipeline.detection.loss import detection_loss
from pipeline.detection.recalibration import recalibrate
from pipeline.detection.sampling import sample_by_image
from pipeline.errors import DetSearchError
from pipeline.hit_detector.spaces import SUPERNET, layer_of
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.choice import choice_layers, only_path
from pipeline.supernet.weights import load_strictly
from pipeline.training import distributed
from pipeline.training.batch_norm import own_statistics
from pipeline.training.seeding import derive_seed, seed_everything

ScoreKind = Literal["loss", "ap"]

Batch = dict[str, Any]
"""As mmdet collates it: lists `inputs` and `data_samples`."""


@dataclass(frozen=True)
class OneShotData:
    """The images that paths are judged on, and those that give them their batch statistics.

    Attributes:
        judged: batches of the validation split, with true objects, not augmented.
        tested: a test dataset of the same images.
        ids: their image ids.
        truth: the split's COCO instances file.
        statistics: batches of the training split, not augmented; none leaves the statistics as they are.
        seed: of the samples of boxes that a loss draws: every path is judged on the same.
    """

    judged: Sequence[Batch]
    tested: Any
    ids: Sequence[int]
    truth: Path
    statistics: Sequence[Batch]
    seed: int

    @classmethod
    def load(
        cls,
        folder: Path,
        around: Surroundings,
        *,
        images: int | None,
        recalibration_batches: int,
        batch_size: int,
        seed: int,
    ) -> OneShotData:
        """Draw the images from a prepared detection dataset, by the seed; they are kept in memory.

        Args:
            folder: of the dataset.
            around: box sampling and normalisation.
            images: how many of the validation images with objects to judge on; all where None.
            recalibration_batches: batches of training images for the statistics.
            batch_size: images in each of them, and in a forward pass.
            seed: of the run.

        Raises:
            DetSearchError: there are fewer images.
        """
        index = DatasetIndex.load(folder / FILE_NAME)
        classes, upright = list(index.classes), {"flip": 0.0, "vertical_flip": 0.0}
        settings = around.detector.model_copy(update=upright)
        val = index.split("val")
        validation = build_dataset(val, classes, settings, train=True)
        training = build_dataset(index.split("train"), classes, settings, train=True)
        wanted = len(validation) if images is None else images
        judged = _drawn(validation, wanted, "search.one_shot_images", seed)
        tested = copy.copy(validation)
        tested.pipeline = Compose(test_transforms(settings))
        seen = _drawn(
            training,
            recalibration_batches * batch_size,
            f"search.recalibration_batches x {batch_size}",
            seed,
        )
        return cls(
            judged=_collated(validation, judged, batch_size),
            tested=tested.get_subset(judged),
            ids=[int(validation.get_data_info(position)["img_id"]) for position in judged],
            truth=val.annotations,
            statistics=_collated(training, seen, batch_size),
            seed=seed,
        )


def _drawn(dataset: Any, count: int, key: str, seed: int) -> list[int]:
    if count > len(dataset):
        raise DetSearchError(
            f"one-shot scores: {key} is {count}, but there are only {len(dataset)} images with objects"
        )
    generator = np.random.default_rng(derive_seed(seed, key.partition(" ")[0]))
    return sorted(generator.choice(len(dataset), count, replace=False).tolist())


def _collated(dataset: Any, positions: Sequence[int], size: int) -> list[Batch]:
    return [
        pseudo_collate([dataset[position] for position in positions[start : start + size]])
        for start in range(0, len(positions), size)
    ]


class OneShotScorer:
    """Judges the networks of a supernet's search space by its weights. Equal calls give equal bits.

    Where several processes work together they share the batches.

    Args:
        model: the supernet, on its device, with its trained weights; left as it is by every call.
        architecture: the supernet's.
        data: the images.
        by: what `score` is: minus the loss, or AP.
        batch_size: images at once, when AP is measured.
    """

    def __init__(
        self,
        model: Any,
        architecture: Architecture,
        data: OneShotData,
        *,
        by: ScoreKind,
        batch_size: int,
    ) -> None:
        self.model, self.architecture, self.data = model, architecture, data
        self.by, self.batch_size = by, batch_size
        # each process measures a path's statistics by itself
        own_statistics(model)
        sample_by_image(model)

    def score(self, network: Architecture) -> float:
        """Minus the loss or AP, as `by` says: higher is better.

        Raises:
            DetSearchError: the network is none of the supernet's; or no AP is defined.
        """
        return -self.loss(network) if self.by == "loss" else self.average_precision(network)

    def loss(self, network: Architecture) -> float:
        """The detector's loss on the judged images, the mean over their batches; in testing mode.

        Seeds the global random generators.

        Raises:
            DetSearchError: the network is none of the supernet's.
        """
        sums = [0.0] * len(self.data.judged)
        with self._restricted(network), torch.no_grad():
            for number, batch in enumerate(self.data.judged):
                if number % distributed.size() == distributed.rank():
                    seed_everything(self.data.seed, "one-shot", number)
                    sums[number] = float(detection_loss(self.model, batch)[0])
        return sum(distributed.mean(sums)) * distributed.size() / len(sums)

    def average_precision(self, network: Architecture) -> float:
        """COCO's AP on the judged images.

        Raises:
            DetSearchError: the network is none of the supernet's; or no image holds an object to find.
        """
        with self._restricted(network):
            found = detect(self.model, self.data.tested, self.batch_size)
        value = distributed.from_first(
            lambda: coco_metrics(self.data.truth, found, self.data.ids)["AP"]
        )
        if value is None:
            raise DetSearchError("no AP: the validation images hold no objects to find")
        return value

    def path(self, network: Architecture) -> dict[str, str]:
        """The operation that a network has in each choice layer, by the layer's dotted name.

        Raises:
            DetSearchError: the network is none of the supernet's.
        """
        path: dict[str, str] = {}
        for dotted, layer in choice_layers(self.model).items():
            component, name = layer_of(dotted)
            block = network.blocks(component).get(name)
            if block is None or block.operation not in layer.names:
                there = "nothing" if block is None else block.operation
                raise DetSearchError(
                    f"the network has {there} in {component} {name}, where the supernet has"
                    f" {', '.join(layer.names)}"
                )
            path[dotted] = str(block.operation)
        return path

    @contextmanager
    def _restricted(self, network: Architecture) -> Iterator[None]:
        """The model as the network, in testing mode, with statistics of its own."""
        modes = {module: module.training for module in self.model.modules()}
        with only_path(self.model, self.path(network)), _kept_statistics(self.model):
            if self.data.statistics:
                count = sum(len(batch["inputs"]) for batch in self.data.statistics)
                recalibrate(self.model, self.data.statistics, count)
            self.model.eval()
            try:
                yield
            finally:
                for module, training in modes.items():
                    module.training = training


@contextmanager
def _kept_statistics(model: nn.Module) -> Iterator[None]:
    """Put the running statistics of all batch normalisations back at the end."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    kept = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers(recurse=False)]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


def load_scorer(
    search: Path,
    data: Path,
    around: Surroundings,
    *,
    by: ScoreKind,
    images: int | None,
    recalibration_batches: int,
    batch_size: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> OneShotScorer:
    """A scorer over the supernet that a search published.

    Args:
        search: folder with `supernet.json` and the weights.
        data: folder of the prepared detection dataset.
        around: box sampling and normalisation; selection of detections, for AP.
        by: see `OneShotScorer`.
        images: see `OneShotData.load`, as the following.
        recalibration_batches: of training images.
        batch_size: images at once.
        seed: of the run.
        device: where to compute.

    Raises:
        ArtifactError: a file is missing or not what it should be.
        WeightsMismatchError: the weights are not of this supernet.
        DetSearchError: there are fewer images.
    """
    architecture = Architecture.load(search / SUPERNET)
    model = build_detector(architecture, around)
    load_strictly(model, load_weights(search / WEIGHTS)[0], search / WEIGHTS)
    model.to(device)
    images_of = OneShotData.load(
        data,
        around,
        images=images,
        recalibration_batches=recalibration_batches,
        batch_size=batch_size,
        seed=seed,
    )
    return OneShotScorer(model, architecture, images_of, by=by, batch_size=batch_size)
