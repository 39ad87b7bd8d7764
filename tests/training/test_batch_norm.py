"""Batch normalisation over all processes by torch's kernels for GPUs, which no CPU has.

They are stood in for here by their definitions, so what is tried is what lies between them: the statistics
that are gathered and the sums that are sent, against torch's own batch normalisation of the whole batch.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from pipeline.config.run import Computing
from pipeline.training import batch_norm, distributed
from pipeline.training.batch_norm import (
    SharedBatchNorm2d,
    SynchronisedBatchNorm,
    average_running_statistics,
    share_statistics,
)
from pipeline.training.computing import computed

MAPS = (0, 2, 3)
EPS, MOMENTUM = 1e-5, 0.1


def _stats(input: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    x = input.to(torch.promote_types(input.dtype, torch.float32))
    return x.mean(MAPS), (x.var(MAPS, unbiased=False) + eps).rsqrt()


def _gather(
    input: Tensor,
    means: Tensor,
    deviations: Tensor,
    running_mean: Tensor | None,
    running_variance: Tensor | None,
    momentum: float,
    eps: float,
    counts: Tensor,
) -> tuple[Tensor, Tensor]:
    number = counts[:, None]
    mean = (number * means).sum(0) / number.sum()
    within = deviations**-2 - eps
    variance = (number * (within + (means - mean) ** 2)).sum(0) / number.sum()
    if running_mean is not None and running_variance is not None:
        running_mean.lerp_(mean, momentum)
        running_variance.lerp_(variance * number.sum() / (number.sum() - 1), momentum)
    return mean, (variance + eps).rsqrt()


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None]


def _elemt(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    deviation: Tensor,
    eps: float,
) -> Tensor:
    result = (input - _wide(mean)) * _wide(deviation)
    if weight is not None and bias is not None:
        result = result * _wide(weight) + _wide(bias)
    return result.to(input.dtype)


def _reduce(
    gradient: Tensor, input: Tensor, mean: Tensor, deviation: Tensor, weight: Tensor, *_: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    total = gradient.sum(MAPS)
    product = (gradient * (input - _wide(mean))).sum(MAPS)
    return total, product, product * deviation, total.clone()


def _backward(
    gradient: Tensor,
    input: Tensor,
    mean: Tensor,
    deviation: Tensor,
    weight: Tensor,
    total: Tensor,
    product: Tensor,
    counts: Tensor,
) -> Tensor:
    number = counts.sum()
    centred = gradient - _wide(total / number)
    centred = centred - (input - _wide(mean)) * _wide(deviation**2 * product / number)
    return centred * _wide(deviation * weight)


@pytest.fixture
def kernels() -> Iterator[None]:
    """The kernels' definitions on a CPU."""
    library = torch.library.Library("aten", "IMPL")
    for name, definition in {
        "batch_norm_stats": _stats,
        "batch_norm_gather_stats_with_counts": _gather,
        "batch_norm_elemt": _elemt,
        "batch_norm_backward_reduce": _reduce,
        "batch_norm_backward_elemt": _backward,
    }.items():
        library.impl(name, definition, "CPU")
    yield
    library._destroy()


class _Other:
    """Another process, which has other images of other sizes, as the collectives show it."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, image: Tensor, gradient: Tensor, mean: Tensor
    ) -> None:
        self.image, self.gradient, self.mean = image, gradient, mean
        self.calls: Counter[str] = Counter()
        monkeypatch.setattr(batch_norm, "size", lambda: 2)
        monkeypatch.setattr("torch.distributed.all_gather_into_tensor", self.gather)
        monkeypatch.setattr("torch.distributed.all_reduce", self.reduce)

    def gather(self, every: Tensor, own: Tensor) -> None:
        self.calls["gather"] += 1
        with _disable_current_modes():  # what the network does is not counted
            count = torch.tensor([float(self.image[:, 0].numel())])
            every.copy_(torch.cat([own, *_stats(self.image, EPS), count]))

    def reduce(self, both: Tensor) -> None:
        self.calls["reduce"] += 1
        with _disable_current_modes():
            product = (self.gradient * (self.image - _wide(self.mean))).sum(MAPS)
            both += torch.cat([self.gradient.sum(MAPS), product])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_normalises_as_one_process_does_the_whole_batch(
    layout: torch.memory_format, kernels: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    own, other = torch.randn(2, 5, 6, 4) + 3, 2 * torch.randn(3, 5, 6, 4)
    weight, bias = torch.rand(5) + 0.5, torch.randn(5)
    of_own, of_other = torch.randn_like(own), torch.randn_like(other)

    whole = torch.cat([own, other]).requires_grad_()
    scale, shift = weight.clone().requires_grad_(), bias.clone()
    expected_running = torch.zeros(5), torch.ones(5)
    result = functional.batch_norm(whole, *expected_running, scale, shift, True, MOMENTUM, EPS)
    result.backward(torch.cat([of_own, of_other]))

    both = _Other(monkeypatch, other, of_other, whole.detach().mean(MAPS))
    image = own.clone().contiguous(memory_format=layout).requires_grad_()
    gamma, beta = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    running = torch.zeros(5), torch.ones(5)
    found: Any = SynchronisedBatchNorm.apply(image, gamma, beta, *running, MOMENTUM, EPS)
    found.backward(of_own)
    assert torch.allclose(found, result[:2], atol=1e-5)
    for mine, theirs in zip(running, expected_running, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
    assert whole.grad is not None and image.grad is not None
    assert torch.allclose(image.grad, whole.grad[:2], atol=1e-5)
    # those of a weight are of this process's images alone: gradients are averaged afterwards
    assert beta.grad is not None and torch.allclose(beta.grad, of_own.sum(MAPS), atol=1e-5)
    deviation = (torch.cat([own, other]).var(MAPS, unbiased=False) + EPS).sqrt()
    normalised = (own - _wide(both.mean)) / _wide(deviation)
    assert gamma.grad is not None
    assert torch.allclose(gamma.grad, (of_own * normalised).sum(MAPS), atol=1e-4)
    assert both.calls == {"gather": 1, "reduce": 1}


class _Operators(TorchDispatchMode):
    """Counts operators that compute: views and allocations apart."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if not func.is_view and "empty" not in name and name != "detach":
            self.names.append(name)
        return func(*args, **(kwargs or {}))


def _layer(
    norm: Any, image: Tensor, affine: tuple[Tensor, Tensor]
) -> tuple[list[str], list[str], float]:
    """Operators of convolution, norm and ReLU, forwards and backwards, and the bytes that they keep."""
    convolution = nn.Conv2d(5, 5, 3, padding=1, bias=False)
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with hooks, _Operators() as forward:
        result = functional.relu(norm(convolution(image)), inplace=True)
    gradient = torch.ones_like(result)
    with _Operators() as backward:
        torch.autograd.grad(result, (image, convolution.weight, *affine), gradient)
    return forward.names, backward.names, sum(kept.values())


def test_a_layer_takes_six_operators_and_a_collective_each_way(
    kernels: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = torch.randn(4, 5, 16, 16, requires_grad=True)
    weight, bias = (torch.rand(5).requires_grad_() for _ in range(2))
    running = torch.zeros(5), torch.ones(5)
    _, _, native = _layer(
        lambda x: functional.batch_norm(x, *running, weight, bias, True, MOMENTUM, EPS),
        image,
        (weight, bias),
    )
    both = _Other(monkeypatch, torch.randn(4, 5, 16, 16), torch.ones(4, 5, 16, 16), torch.zeros(5))
    batch_norm._count(4 * 16 * 16, image.device)  # made once for a size
    forward, backward, kept = _layer(
        lambda x: SynchronisedBatchNorm.apply(x, weight, bias, *running, MOMENTUM, EPS),
        image,
        (weight, bias),
    )
    assert len(forward) <= 6, forward
    assert len(backward) <= 6, backward
    assert both.calls == {"gather": 1, "reduce": 1}
    assert kept <= native + 4 * 4 * 5, "but for a few numbers of each channel"

    monkeypatch.setattr(distributed, "_sum", lambda values: values + 0)
    by_hand = _layer(
        lambda x: distributed.shared_batch_norm(x, running, (weight, bias), MOMENTUM, EPS),
        image,
        (weight, bias),
    )
    assert len(by_hand[0]) + len(by_hand[1]) > 3 * (len(forward) + len(backward))
    assert by_hand[2] > native


def test_per_gpu_leaves_torch_s_own_norms_and_averages_what_they_remember(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model: Any = nn.Sequential(
        nn.BatchNorm2d(3), nn.ReLU(), nn.BatchNorm2d(2, track_running_stats=False)
    )
    monkeypatch.setattr(batch_norm, "size", lambda: 2)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda flat: flat.add_(2 * torch.ones(6)))
    with computed(Computing(batch_norm="per_gpu")):
        share_statistics(model)
        assert type(model[0]) is nn.BatchNorm2d
        model[0].running_mean[:] = torch.tensor([4.0, 0.0, -2.0])
        average_running_statistics(model.modules())
    # the other process has 2 everywhere
    assert model[0].running_mean.tolist() == [3.0, 1.0, 0.0]
    assert model[0].running_var.tolist() == [1.5] * 3
    share_statistics(model)
    assert type(model[0]) is SharedBatchNorm2d
    average_running_statistics(model.modules())
    assert model[0].running_mean.tolist() == [3.0, 1.0, 0.0], "nothing to average: they are one"
