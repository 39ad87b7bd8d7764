"""The cost model: parameters and multiply-accumulates, counted on meta tensors.

One forward pass on the meta device, watched by hooks on the leaf modules: nothing is computed, no
memory is used, and a leaf module with parameters that the counter does not know raises an error
instead of counting zero.

Two countings of computation are kept side by side. `macs` counts the multiply-accumulates of
convolutions and linear layers. `paper_flops` follows the convention of both papers (the counting
tool of mmdetection 1.x): those MACs, plus one per output of a convolution's bias and of a ReLU module,
one per input of a max pooling module, two per element for batch normalisation; functional operations
and RoIAlign are free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.search_space.operations import build_operation


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-accumulates, and computation in the papers' convention; all counts."""

    params: int = 0
    macs: int = 0
    paper_flops: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.params + other.params,
            self.macs + other.macs,
            self.paper_flops + other.paper_flops,
        )


class UnknownModuleError(TypeError):
    """A module with parameters for which the cost model has no rule."""


def convolution_cost(module: Any, input: Tensor, output: Tensor) -> tuple[int, int]:
    """MACs and paper FLOPs of a convolution, with the attributes of `nn.Conv2d`; it may have no bias."""
    kernel = math.prod(module.kernel_size) * module.in_channels // module.groups
    macs = output.numel() * kernel
    biased = getattr(module, "bias", None) is not None
    return macs, macs + (output.numel() if biased else 0)


def _linear(module: Any, input: Tensor, output: Tensor) -> tuple[int, int]:
    # mmdetection 1.x counts no bias for linear layers
    macs = output.numel() * module.in_features
    return macs, macs


_RULES: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], tuple[int, int]]] = {
    nn.Conv2d: convolution_cost,
    nn.Linear: _linear,
    nn.BatchNorm2d: lambda module, input, output: (0, 2 * output.numel()),
    nn.ReLU: lambda module, input, output: (0, output.numel()),
    nn.ReLU6: lambda module, input, output: (0, output.numel()),
    nn.MaxPool2d: lambda module, input, output: (0, input.numel()),
}
# the papers' tool knows no group normalisation
_FREE: tuple[type[nn.Module], ...] = (nn.Identity, nn.Dropout, nn.GroupNorm)
_COMPOSITE: tuple[type[nn.Module], ...] = ()
"""Modules that compute something themselves beside what the modules inside them do."""


def count_composite(
    kind: type[nn.Module], rule: Callable[[Any, Tensor, Tensor], tuple[int, int]]
) -> None:
    """Let the counter know a module that computes beside its children, which are counted as they are.

    Args:
        kind: the module's class.
        rule: from module, input and output to MACs and paper FLOPs of what it computes itself.
    """
    global _COMPOSITE
    _RULES[kind] = rule
    _COMPOSITE = (*_COMPOSITE, kind)


class CostCounter:
    """Accumulates the computation of every known leaf module that runs.

    Attributes:
        macs: multiply-accumulates.
        paper_flops: the same in the papers' convention.
        depthwise: those of `macs` that depthwise convolutions do.
        normalised: numbers that batch normalisations put out.
    """

    def __init__(self) -> None:
        self.macs = 0
        self.paper_flops = 0
        self.depthwise = 0
        self.normalised = 0

    def _count(self, module: nn.Module, inputs: Any, output: Any) -> None:
        for kind, rule in _RULES.items():
            if isinstance(module, kind):
                macs, paper_flops = rule(module, inputs[0], output)
                self.macs += macs
                self.paper_flops += paper_flops
                if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
                    self.depthwise += macs
                elif isinstance(module, nn.BatchNorm2d):
                    self.normalised += output.numel()
                return
        if not isinstance(module, _FREE) and any(True for _ in module.parameters(recurse=False)):
            raise UnknownModuleError(
                f"the cost model has no rule for {type(module).__name__}: add one to "
                "pipeline/search_space/cost.py"
            )

    @contextmanager
    def watch(self, *modules: nn.Module) -> Iterator[CostCounter]:
        """Count what the leaf modules below `modules` compute while the context is open."""
        handles = [
            leaf.register_forward_hook(self._count)
            for module in modules
            for leaf in module.modules()
            if isinstance(leaf, _COMPOSITE) or not any(True for _ in leaf.children())
        ]
        try:
            yield self
        finally:
            for handle in handles:
                handle.remove()


def parameters(*modules: nn.Module) -> int:
    """Number of trainable and frozen parameters (buffers such as BN statistics not included)."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def measure(run: Callable[[], Any], *modules: nn.Module) -> tuple[Cost, Any]:
    """Cost of the `modules` during one call of `run`, and what `run` returned."""
    with CostCounter().watch(*modules) as counter, torch.no_grad():
        result = run()
    return Cost(parameters(*modules), counter.macs, counter.paper_flops), result


def operation_cost(
    name: str, in_channels: int, out_channels: int, stride: int, shape: tuple[int, int, int]
) -> Cost:
    """Cost of one operation on an input of `shape` (samples, height, width)."""
    with torch.device("meta"):
        operation = build_operation(name, in_channels, out_channels, stride).eval()
        samples, height, width = shape
        input = torch.empty(samples, in_channels, height, width)
    return measure(lambda: operation(input), operation)[0]
