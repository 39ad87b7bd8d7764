"""Starting a detector from a backbone that was pretrained elsewhere, parts of which may stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.artifacts.weights import pretrained_weights
from pipeline.config.pretrained import Freezing
from pipeline.supernet.weights import WeightsMismatchError, load_strictly

CLASSIFIER = "fc."
"""How the names of torchvision's layer behind the backbone begin."""
COUNTER = "num_batches_tracked"

ADVICE = (
    "A checkpoint of torchvision or mmdet is of a network at width 1 (`width: 1` of a base or a baseline; of "
    "the teacher pool the largest net, base_channels 64 at a greatest width of 1), with the same kind and "
    "number of blocks in each stage."
)


class FixedStatistics(nn.Module):
    """A batch normalisation that never leaves evaluation: it takes the running statistics, and keeps them."""

    def train(self, mode: bool = True) -> FixedStatistics:
        """Stay in evaluation, whatever the network around it does."""
        return super().train(False)


def start_backbone(detector: Any, folder: Path | None, freezing: Freezing | None) -> None:
    """Load the backbone's published weights, and freeze what of them is to stay.

    Args:
        detector: what the builder made, elastic or not; not yet trained.
        folder: of a pretraining, or of weights that were imported; `None` leaves the initialisation.
        freezing: what stays; nothing where `None`.

    Raises:
        ArtifactError: the weights cannot be read.
        WeightsMismatchError: they are not of this backbone.
    """
    if folder is None:
        return
    weights, origin = pretrained_weights(folder)
    backbone: nn.Module = detector.backbone
    try:
        load_strictly(backbone, fitted(weights, backbone.state_dict()), origin)
    except WeightsMismatchError as error:
        raise WeightsMismatchError(f"{error}\n{ADVICE}") from None
    if freezing:
        freeze(backbone, freezing)


def fitted(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without a classifier, and with the counters of batches that old checkpoints lack.

    Args:
        weights: by the names of torchvision, mmdet or this project, which are one for residual networks.
        wanted: the backbone's state dict.
    """
    counters = {name: value for name, value in wanted.items() if name.endswith(COUNTER)}
    own = {
        name: value
        for name, value in weights.items()
        if name in wanted or not name.startswith(CLASSIFIER)
    }
    return {**counters, **own}


def freeze(backbone: nn.Module, freezing: Freezing) -> None:
    """Leave weights and statistics of stem and first stages as they are, and with `norm_eval` all statistics.

    What mmdet's `frozen_stages` and `norm_eval` do. Frozen parameters have no gradient, so optimisers and
    weight decay pass them over.
    """
    for part in _first_parts(backbone, freezing.frozen_stages):
        part.requires_grad_(False)
        _fix_statistics(part)
    if freezing.norm_eval:
        _fix_statistics(backbone)


def _first_parts(backbone: nn.Module, stages: int) -> Iterator[nn.Module]:
    """The stem and the first stages; nothing for -1."""
    if stages < 0:
        return
    children = dict(backbone.named_children())
    yield from (children[name] for name in ("conv1", "bn1", "stem") if name in children)
    for number in range(1, stages + 1):
        # a searched backbone counts its stages from 0
        yield backbone.get_submodule(
            f"layer{number}" if f"layer{number}" in children else f"stages.{number - 1}"
        )


def _fix_statistics(part: nn.Module) -> None:
    for layer in part.modules():
        if isinstance(layer, _BatchNorm) and not isinstance(layer, FixedStatistics):
            kind = type(layer)
            # the layer stays the same object, as in an elastic detector; only how it trains is another
            layer.__class__ = type(f"Fixed{kind.__name__}", (FixedStatistics, kind), {})
            layer.eval()
