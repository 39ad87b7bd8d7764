"""The choice layer: all candidate operations of a layer, mixed by their architecture parameters (Eq. 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pipeline.search_space.operations import build_operation
from pipeline.supernet.levels import at_level, present_level, present_norms

ALPHA_START = 1.0
"""Softmax ignores a common offset, but Eq. 4 pulls columns of α towards zero: it can lower a
candidate only where α starts above zero."""

Execution = Literal["store", "recompute"]


class ChoiceLayer(nn.Module):
    """x_l = Σ_o softmax(α)_o · o(x_{l-1}) over the candidates that are still alive (Hit-Detector, Eq. 5).

    Attributes:
        alpha: architecture parameters, shape (N,), one per candidate.
        alive: boolean buffer, shape (N,): candidates not yet removed by screening.
        living: the indices of those that are alive, in their order; `living_index` is the same, shape
            (n,), where the parameters are.
        macs: float buffer, shape (N,): multiply-accumulates of each candidate at the stated input,
            filled by `pipeline.detection.complexity`.
        milliseconds: float buffer, shape (N,): what each candidate takes there, filled by
            `pipeline.hit_detector.operation_times` where a search counts time.
        paths: how many candidates a training step runs; `None` runs all (the exact sum of Eq. 5).
            With k, Gumbel top-k draws k candidates without replacement by their probabilities, and
            their weights are renormalised among the drawn ones.
        execution: "store" keeps every candidate's activations for the backward pass, "recompute"
            keeps the layer's input only and runs each candidate again when its gradient is due.
        drawn: the candidates that the last pass ran.
    """

    alpha: nn.Parameter
    alive: Tensor
    living_index: Tensor
    macs: Tensor
    milliseconds: Tensor

    def __init__(
        self, candidates: Sequence[str], in_channels: int, out_channels: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.names = tuple(candidates)
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.candidates = nn.ModuleDict(
            {name: build_operation(name, in_channels, out_channels, stride) for name in candidates}
        )
        self.alpha = nn.Parameter(torch.full((len(candidates),), ALPHA_START))
        self.register_buffer("alive", torch.ones(len(candidates), dtype=torch.bool))
        for cost in ("macs", "milliseconds"):
            unknown = torch.full((len(candidates),), float("nan"))
            self.register_buffer(cost, unknown, persistent=False)
        self.paths: int | None = None
        self.execution: Execution = "store"
        self.only: str | None = None
        # the living candidates again, as they are read without a wait for a GPU: here, and there
        self.living = self.drawn = list(range(len(candidates)))
        self.register_buffer("living_index", torch.arange(len(candidates)), persistent=False)
        self.register_load_state_dict_post_hook(lambda module, _: module._recall())

    def _recall(self) -> None:
        self.living_index = self.alive.nonzero().flatten()
        self.living = self.drawn = self.living_index.tolist()

    def probabilities(self) -> Tensor:
        """Softmax of α over the living candidates, zero for the removed; shape (N,)."""
        return self.alpha.masked_fill(~self.alive, float("-inf")).softmax(0)

    def expected(self, costs: Tensor) -> Tensor:
        """Σ_o p_o · cost(o), the layer's term of Eq. 7; a scalar, differentiable in α.

        Args:
            costs: shape (N,): `macs`, or `milliseconds`.
        """
        return (self.probabilities() * costs).sum()

    def mixed(self, costs: Tensor) -> Tensor:
        """Σ_o w_o · cost(o) of the last pass, w its weights; a scalar, differentiable in their α.

        Of a pass that ran all candidates it is `expected`.

        Args:
            costs: as of `expected`.
        """
        if len(self.drawn) == len(self.living):
            return self.expected(costs)
        return (self.alpha[self.drawn].softmax(0) * costs[self.drawn]).sum()

    def remove(self, index: int) -> None:
        """Take a candidate out of the layer for good.

        Raises:
            ValueError: it is not alive, or the only one left.
        """
        if index not in self.living or len(self.living) == 1:
            raise ValueError(f"candidate {self.names[index]!r} cannot be removed")
        self.alive[index] = False
        self._recall()

    def draw(self) -> tuple[list[int], Tensor]:
        """Candidates to run in a pass, in a fixed order, and their weights."""
        chosen = self.living
        if self.paths is None or not self.training or self.paths >= len(chosen):
            return chosen, self.alpha[self.living_index].softmax(0)
        # on the CPU, so that a seed draws the same paths on every device: the one wait that this layer makes
        logits = self.alpha.detach()[chosen].cpu()
        # -log of an exponential variate is a Gumbel variate
        gumbel = -torch.empty_like(logits).exponential_().log()
        top = (logits + gumbel).topk(self.paths).indices.sort().values
        chosen = [chosen[position] for position in top.tolist()]
        return chosen, self.alpha[chosen].softmax(0)

    def forward(self, input: Tensor, drawn: tuple[list[int], Tensor] | None = None) -> Tensor:
        """Mix the candidates; input (N, C_in, H, W), output (N, C_out, H / stride, W / stride).

        `drawn` is what `draw` gave, where several inputs are to take the same paths.
        """
        if self.only is not None:
            return self.candidates[self.only](input)
        chosen, weights = self.draw() if drawn is None else drawn
        self.drawn = chosen
        output: Tensor | None = None
        for position, index in enumerate(chosen):
            candidate = self.candidates[self.names[index]]
            if self.execution == "recompute" and torch.is_grad_enabled():
                term = _recomputed(candidate, input, weights[position])
            else:
                term = _weighted(candidate(input), weights[position])
            output = term if output is None else output + term
        assert output is not None, "a choice layer always has a living candidate"
        return output


def _weighted(output: Tensor, weight: Tensor) -> Tensor:
    """`output * weight`; of an output in lower precision the weight's gradient is summed in float32."""
    if output.dtype == weight.dtype:
        return output * weight
    result = _Weighted.apply(output, weight)
    assert isinstance(result, Tensor)
    return result


class _Weighted(torch.autograd.Function):
    """The product of a map and a scalar of higher precision, in the map's."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(output, weight)
        return output * weight

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        output, weight = ctx.saved_tensors
        return gradient * weight, (gradient * output).sum(dtype=weight.dtype)


def _recomputed(candidate: nn.Module, input: Tensor, weight: Tensor) -> Tensor:
    """`candidate(input) * weight`, keeping only `input` and `weight` for the backward pass.

    The weight is applied inside, else autograd would keep every candidate's output for the
    gradient of its weight.
    """

    def run(input: Tensor, weight: Tensor) -> Tensor:
        return _weighted(candidate(input), weight)

    # the backward pass comes when a block that levels share has gone on to others
    level = present_level(candidate)
    result = checkpoint(
        run,
        input,
        weight,
        use_reentrant=False,
        # the candidates draw no random numbers
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), _frozen_statistics(candidate, level)),
    )
    assert isinstance(result, Tensor)
    return result


@contextmanager
def _frozen_statistics(module: nn.Module, level: int) -> Iterator[None]:
    """Batch statistics as in training, without counting the batch into the running averages again."""
    with at_level(module, level):
        norms = present_norms(module)
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 0.0
        try:
            yield
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
                if norm.training and norm.num_batches_tracked is not None:
                    norm.num_batches_tracked -= 1


def build_block(
    operation: str | Sequence[str], in_channels: int, out_channels: int, stride: int = 1
) -> nn.Module:
    """An operation where one is named, a choice layer where candidates are."""
    if isinstance(operation, str):
        return build_operation(operation, in_channels, out_channels, stride)
    return ChoiceLayer(operation, in_channels, out_channels, stride)


def choice_layers(module: nn.Module) -> dict[str, ChoiceLayer]:
    """The choice layers below `module`, by their dotted names, in the order of registration."""
    return {name: child for name, child in module.named_modules() if isinstance(child, ChoiceLayer)}


@contextmanager
def only_path(module: nn.Module, path: dict[str, str]) -> Iterator[None]:
    """Restrict each choice layer to one candidate, unweighted: the network that `path` derives.

    Raises:
        KeyError: a choice layer has no entry in `path`.
    """
    layers = choice_layers(module)
    chosen = {name: path[name] for name in layers}
    before = {name: layer.only for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.only = chosen[name]
    try:
        yield
    finally:
        for name, layer in layers.items():
            layer.only = before[name]
