"""The cost model against PyTorch's own counter, which runs real tensors."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pipeline.search_space.cost import Cost, UnknownModuleError, measure, operation_cost
from pipeline.search_space.names import CANDIDATES
from pipeline.search_space.operations import build_operation


def _counted_by_torch(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates: PyTorch's counter counts each as two.

    On meta tensors, where every convolution is one: the CPU computes some of them in another way.
    """
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module.to("meta")(torch.empty(shape, device="meta"))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", CANDIDATES)
def test_macs_of_every_operation(name: str, stride: int) -> None:
    cost = operation_cost(name, 4, 6, stride, (2, 9, 8))
    operation = build_operation(name, 4, 6, stride).eval()
    assert cost.macs == _counted_by_torch(operation, (2, 4, 9, 8))
    assert cost.params == sum(p.numel() for p in operation.parameters())


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(CANDIDATES),
    channels=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    stride=st.sampled_from([1, 2]),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
)
def test_macs_at_any_shape(
    name: str, channels: tuple[int, int], stride: int, shape: tuple[int, int, int]
) -> None:
    inputs, outputs = channels
    samples, height, width = shape
    operation = build_operation(name, inputs, outputs, stride).eval()
    expected = _counted_by_torch(operation, (samples, inputs, height, width))
    assert operation_cost(name, inputs, outputs, stride, shape).macs == expected


def test_the_papers_convention_by_hand() -> None:
    # ir_k5_d2_e3, 4 → 6 channels, stride 2, on 1 × 8 × 8: 12 channels inside
    expand, depthwise, project = 12 * 64, 12 * 16, 6 * 16
    macs = expand * 4 + depthwise * 25 + project * 12
    norms, relus = 2 * (expand + depthwise + project), expand + depthwise
    cost = operation_cost("ir_k5_d2_e3", 4, 6, 2, (1, 8, 8))
    assert (cost.macs, cost.paper_flops) == (macs, macs + norms + relus)


def test_bias_counts_for_convolutions_and_not_for_linear_layers() -> None:
    convolution = nn.Conv2d(3, 5, 3, padding=1)
    cost, output = measure(lambda: convolution(torch.empty(1, 3, 4, 4)), convolution)
    assert output.shape == (1, 5, 4, 4)
    assert cost == Cost(5 * 27 + 5, 80 * 27, 80 * 27 + 80)
    linear = nn.Linear(7, 2)
    assert measure(lambda: linear(torch.empty(3, 7)), linear)[0] == Cost(16, 42, 42)


def test_costs_add_up() -> None:
    assert sum([Cost(1, 2, 3), Cost(10, 20, 30)], Cost()) == Cost(11, 22, 33)


@pytest.mark.parametrize(
    ("module", "shape"),
    [(nn.Conv1d(1, 1, 1), (1, 1, 4)), (nn.PReLU(), (2,)), (nn.GRUCell(2, 2), (1, 2))],
)
def test_an_unknown_module_with_parameters_is_refused(module: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(UnknownModuleError, match=type(module).__name__):
        measure(lambda: module(torch.empty(shape)), module)


def test_modules_without_parameters_are_free_unless_the_papers_count_them() -> None:
    modules = nn.Sequential(nn.Sigmoid(), nn.Dropout(), nn.MaxPool2d(2), nn.ReLU())
    cost, _ = measure(lambda: modules(torch.empty(1, 2, 4, 4)), modules)
    # pooling by what it reads, ReLU by what it writes
    assert cost == Cost(0, 0, 32 + 8)


def test_nothing_is_counted_after_the_measurement() -> None:
    linear = nn.Linear(2, 2)
    measure(lambda: linear(torch.empty(1, 2)), linear)
    assert not linear._forward_hooks
