"""Whether a file holds the weights of a ResNet-50's backbone."""

from __future__ import annotations

from pathlib import Path

from torchvision.models import resnet50

from pipeline.artifacts.given_weights import read_checkpoint
from pipeline.detection.start import fitted
from pipeline.supernet.weights import load_strictly


def require_resnet50(path: Path) -> None:
    """Raise unless the weights are those of a ResNet-50, with a classifier or without.

    Raises:
        ArtifactError: they cannot be read.
        WeightsMismatchError: they are of another network; the message names the tensors.
    """
    backbone = resnet50()
    del backbone.fc
    load_strictly(backbone, fitted(read_checkpoint(path), backbone.state_dict()), path)
