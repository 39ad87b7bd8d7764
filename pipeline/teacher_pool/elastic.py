"""Elastic modules: layers that use the first entries of their tensors, stages that run their first blocks.

`make_elastic` turns a detector that the builder made into an elastic one in place: its parameters keep
their names, so its state dict is that of the ordinary detector. A training step of a smaller network
updates the shared tensors through the slices it used, and the batch statistics of the used channels.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from pipeline.search_space.architecture import Architecture, ResNetBackbone
from pipeline.search_space.coupling import coupled_channels
from pipeline.search_space.slicing import active_lengths
from pipeline.training.batch_norm import batch_norm_over_all, shares_statistics


class ElasticLayer(nn.Module):
    """A layer of which the first entries are active.

    Attributes:
        lengths: by parameter or buffer and dimension, how many entries are active; all where absent.
    """

    lengths: dict[tuple[str, int], int]

    def active(self, name: str) -> Any:
        """The active part of a parameter or buffer, a view of it; `None` where the layer has none."""
        tensor = getattr(self, name)
        for (owner, dim), length in self.lengths.items():
            if owner == name:
                tensor = tensor.narrow(dim, 0, length)
        return tensor


class ElasticConv2d(ElasticLayer, nn.Conv2d):
    """A convolution from its first input channels to its first output channels."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, active inputs, H, W) → (N, active outputs, H', W')."""
        return self._conv_forward(input, self.active("weight"), self.active("bias"))


class ElasticLinear(ElasticLayer, nn.Linear):
    """A linear layer on its first inputs."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, active inputs) → (N, active outputs)."""
        return functional.linear(input, self.active("weight"), self.active("bias"))


class ElasticBatchNorm2d(ElasticLayer, nn.BatchNorm2d):
    """Batch normalisation of its first channels.

    All widths share the running statistics, which therefore fit none of them: recalibrate a network
    before its use.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, active channels, H, W), normalised."""
        momentum = self.momentum
        if self.training:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1 / float(self.num_batches_tracked)
        running = self.active("running_mean"), self.active("running_var")
        affine = self.active("weight"), self.active("bias")
        if self.training and shares_statistics():
            return batch_norm_over_all(input, running, affine, momentum or 0.0, self.eps)
        return functional.batch_norm(
            input, *running, *affine, self.training, momentum or 0.0, self.eps
        )


class ElasticStage(nn.Sequential):
    """A stage of which the first `depth` blocks run."""

    depth: int

    def forward(self, input: Tensor) -> Tensor:
        """The input through the first `depth` blocks."""
        for block in list(self)[: self.depth]:
            input = block(input)
        return input


_ELASTIC: dict[type[nn.Module], type[ElasticLayer]] = {
    nn.Conv2d: ElasticConv2d,
    nn.Linear: ElasticLinear,
    nn.BatchNorm2d: ElasticBatchNorm2d,
}


def make_elastic(model: Any, architecture: Architecture) -> None:
    """Make a detector elastic, in place; it then runs all of itself.

    Args:
        model: what `build_detector` made of `architecture`.
        architecture: of a kind whose coupled channels are known, ungrouped.
    """
    coupled = {
        use.tensor for group in coupled_channels(architecture).values() for use in group.uses
    }
    for owner in sorted({tensor.rpartition(".")[0] for tensor in coupled}):
        layer: Any = model.get_submodule(owner)
        kind = next(elastic for plain, elastic in _ELASTIC.items() if isinstance(layer, plain))
        # As torch's own parametrisations do: the layer stays where the detector holds it, with its
        # parameters, its hooks and its settings; only its forward pass is another.
        layer.__class__ = kind
    for number in range(1, len(_depths(architecture)) + 1):
        stage: Any = model.get_submodule(f"backbone.layer{number}")
        stage.__class__ = ElasticStage
    activate(model, architecture, architecture)


def activate(model: Any, whole: Architecture, part: Architecture) -> None:
    """Let an elastic detector run the network `part` of itself; no tensor changes.

    Raises:
        ValueError: `part` does not lie inside `whole`.
    """
    lengths = active_lengths(whole, part)
    for module in model.modules():
        if isinstance(module, ElasticLayer):
            module.lengths = {}
    for (tensor, dim), length in lengths.items():
        owner, _, name = tensor.rpartition(".")
        model.get_submodule(owner).lengths[name, dim] = length
    for number, depth in enumerate(_depths(part), 1):
        model.get_submodule(f"backbone.layer{number}").depth = depth
    model.roi_head.bbox_roi_extractor.out_channels = part.neck.channels


def _depths(architecture: Architecture) -> tuple[int, ...]:
    assert isinstance(architecture.backbone, ResNetBackbone)
    return tuple(len(stage) for stage in architecture.backbone.stages)
