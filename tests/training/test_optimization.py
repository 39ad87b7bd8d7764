"""Learning rates and optimiser steps against values worked out by hand."""

from math import cos, pi

import pytest
import torch
from torch import nn

from pipeline.config.optimization import Optimizer
from pipeline.training.optimization import apply_gradients, build_optimizer, learning_rate


def _step(
    optimizer: torch.optim.Optimizer,
    loss: torch.Tensor,
    rate: float,
    clip_norm: float | None = None,
) -> None:
    optimizer.zero_grad()
    loss.backward()
    apply_gradients(optimizer, rate, clip_norm)


def _rates(settings: Optimizer, iterations: int, epoch_length: int = 10) -> list[float]:
    return [learning_rate(settings, i, iterations, epoch_length) for i in range(iterations)]


def test_cosine_falls_from_the_peak_to_zero() -> None:
    rates = _rates(Optimizer(lr=0.4), 8)
    # 0.4 · (1 + cos(π i / 8)) / 2
    half = 0.5**0.5
    assert rates[0] == 0.4
    assert [rates[2], rates[4], rates[6]] == pytest.approx(
        [0.2 * (1 + half), 0.2, 0.2 * (1 - half)]
    )
    assert rates == sorted(rates, reverse=True) and rates[-1] > 0


def test_steps_divide_by_ten_after_the_milestones() -> None:
    settings = Optimizer(lr=0.02, schedule="step", milestones=(2, 3))
    rates = _rates(settings, 40)
    assert rates == pytest.approx([0.02] * 20 + [0.002] * 10 + [0.0002] * 10)


def test_warm_up_is_linear_from_a_thousandth() -> None:
    settings = Optimizer(lr=0.1, schedule="step", milestones=(9,), warmup_iterations=4)
    assert _rates(settings, 7) == pytest.approx([0.0001, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1])
    # under a cosine it scales what the cosine gives
    cosine = _rates(Optimizer(lr=0.1, warmup_iterations=4), 8)
    assert cosine[2] == pytest.approx(0.05 * (1 + cos(pi / 4)) / 2)
    assert cosine[4] == pytest.approx(0.05)


def test_parameters_may_have_their_first_gradient_later() -> None:
    """As with drawn paths; a GPU's SGD is fused, and would end at the second step."""
    found = []
    for fused in (True, False):
        weights = [nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2)]
        optimizer = torch.optim.SGD(weights, momentum=0.5, weight_decay=0.1, fused=fused)
        begun: set[int] = set()
        for drawn in ((0,), (1,), (0, 1), (0,)):
            loss = torch.stack([(weights[each] ** 2).sum() for each in drawn]).sum()
            _step(optimizer, loss, 0.1)
            begun |= {*drawn}
            assert {*optimizer.state} == {weights[each] for each in begun}, "a checkpoint's content"
        found.append(torch.cat([weight.detach() for weight in weights]))
    torch.testing.assert_close(*found)
    assert not torch.equal(found[0][:2], found[0][2:])


def test_sgd_has_momentum_and_decay() -> None:
    weight = nn.Parameter(torch.tensor([1.0]))
    settings = Optimizer(momentum=0.5, weight_decay=0.1)
    optimizer = build_optimizer([weight], settings)
    _step(optimizer, 2 * weight.sum(), 0.1)
    # gradient 2 + 0.1 · 1
    assert weight.item() == pytest.approx(1 - 0.1 * 2.1)
    _step(optimizer, 2 * weight.sum(), 0.01)
    # gradient 2 + 0.1 · 0.79, plus half of the last step's 2.1
    assert weight.item() == pytest.approx(0.79 - 0.01 * (2.079 + 1.05))


def test_adamw_decays_apart_from_the_gradient() -> None:
    weight = nn.Parameter(torch.tensor([1.0]))
    settings = Optimizer(type="adamw", weight_decay=0.5)
    _step(build_optimizer([weight], settings), 7 * weight.sum(), 0.1)
    # Adam's first step is the rate in size
    assert weight.item() == pytest.approx(1 - 0.1 * 0.5 - 0.1)


def test_the_gradient_is_clipped_by_its_norm_over_all_weights() -> None:
    first, second = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    settings = Optimizer(momentum=0, weight_decay=0)
    optimizer = build_optimizer([first, second], settings)
    _step(optimizer, (3 * first + 4 * second).sum(), 1.0, clip_norm=1.0)
    assert [first.item(), second.item()] == pytest.approx([-0.6, -0.8], rel=1e-5)
