"""Training a backbone, or its supernet with fixed α, to classify images."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from pipeline.config.detector import Normalization
from pipeline.config.optimization import Classification
from pipeline.data.images import load_pil_image
from pipeline.training import distributed
from pipeline.training.batch_norm import own_statistics
from pipeline.training.loop import Numbers, Record
from pipeline.training.stream import BatchStream, once
from pipeline.training.task import Pass, TrainingTask


def train_transform(settings: Classification) -> v2.Transform:
    """Random crop and flip; the result is bytes, a quarter of what a GPU would be sent as float32."""
    return v2.Compose(
        [
            v2.PILToTensor(),
            v2.RandomResizedCrop(settings.image_size, scale=settings.crop_scale, antialias=True),
            v2.RandomHorizontalFlip(settings.flip),
        ]
    )


def test_transform(settings: Classification) -> v2.Transform:
    """The shorter side resized to the crop's, and the centre; bytes, too."""
    return v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize(settings.image_size, antialias=True),
            v2.CenterCrop(settings.image_size),
        ]
    )


class Classifier(nn.Module):
    """A backbone, global average pooling of its last map, and a linear layer."""

    def __init__(self, backbone: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.fc = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) → logits (N, classes)."""
        return self.fc(self.backbone(images)[-1].mean((2, 3)))


class BackbonePretraining(TrainingTask[Classification]):
    """Classification training; α of a supernet keeps its values (Hit-Detector, section 4.2).

    Args:
        model: the classifier, on its device.
        settings: one of the pretraining sections.
        normalization: as the detector's.
        folders: ImageFolders of the training and validation images.
        seed: of the data stream.
        sampled: a step runs some paths of a supernet only. Then it is validated as it is trained, by
            drawn paths and the statistics of the batch: all paths together were never trained, and a
            candidate drawn in a fraction of the steps has running statistics near where they started.
    """

    def __init__(
        self,
        model: Classifier,
        settings: Classification,
        normalization: Normalization,
        folders: tuple[Path, Path],
        seed: int,
        *,
        sampled: bool = False,
    ) -> None:
        train, self.validation = (
            ImageFolder(str(folder), transform, loader=load_pil_image)
            for folder, transform in zip(
                folders,
                (train_transform(settings), test_transform(settings)),
                strict=True,
            )
        )
        stream = BatchStream(train, settings.batch_size, seed, workers=settings.workers)
        weights = [p for name, p in model.named_parameters() if not name.endswith("alpha")]
        super().__init__(model, settings, stream, weights)
        self.model: Classifier = model
        self.seed, self.sampled = seed, sampled
        self.accuracy = 0.0
        # each (3, 1, 1), where the model is
        self._mean, self._deviation = (
            torch.tensor(values, dtype=torch.float32, device=self.device).view(-1, 1, 1)
            for values in (normalization.mean, normalization.std)
        )

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.fc.weight.device

    def passes(self, iteration: int, batch: Any) -> list[Pass]:
        """One, whose loss is the cross entropy."""
        return [lambda: self._classify(*batch)]

    def prepared(self, images: Tensor) -> Tensor:
        """Bytes (N, 3, H, W) as the network takes them: there, normalised as the detector's images are."""
        on_device = images.to(self.device, non_blocking=True)
        return on_device.float().sub_(self._mean).div_(self._deviation)

    def _classify(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Numbers]:
        labels = labels.to(self.device, non_blocking=True)
        logits = self.model(self.prepared(images))
        loss = functional.cross_entropy(
            logits, labels, label_smoothing=self.settings.label_smoothing
        )
        right = (logits.detach().argmax(1) == labels).float().mean()
        return loss, {"loss": loss.detach(), "accuracy": right}

    def end_epoch(self, epoch: int) -> Record:
        """Validate after the last epoch."""
        if epoch != self.settings.epochs:
            return {}
        self.accuracy = self.validate()
        return {"validation_accuracy": self.accuracy}

    @torch.no_grad()
    def validate(self) -> float:
        """Fraction of the validation images whose class is predicted first."""
        # on a copy, since batch statistics would move the running ones
        model = copy.deepcopy(self.model).train(self.sampled)
        own_statistics(model)
        if self.sampled:  # batch after batch draws its paths
            right = distributed.from_first(lambda: self._right(model, shared=False))
        else:
            right = sum(distributed.gathered(self._right(model, shared=True)))
        return right / len(self.validation)

    def _right(self, model: nn.Module, *, shared: bool) -> int:
        """Validation images, or this process's share of them, whose class is predicted first."""
        size, workers = self.settings.batch_size, self.settings.workers
        batches = once(self.validation, size, self.seed, workers=workers, shared=shared)
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        for images, labels in batches:
            predicted = model(self.prepared(images)).argmax(1)
            right += (predicted == labels.to(self.device, non_blocking=True)).sum()
        return int(right)
