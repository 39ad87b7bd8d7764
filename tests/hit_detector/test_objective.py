"""Regularisers, expected cost, scores and entropy, against numbers worked out by hand."""

from math import log

import pytest
import torch

from pipeline.config.hit_detector import Regularizer
from pipeline.hit_detector.objective import (
    candidate_scores,
    column_sparsity,
    entropy,
    expected_gmacs,
    expected_milliseconds,
    mixed_milliseconds,
)
from pipeline.supernet.choice import ChoiceLayer

NAMES = ("conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1")


def _layers(*rows: tuple[float, float, float]) -> list[ChoiceLayer]:
    layers = [ChoiceLayer(NAMES, 1, 1) for _ in rows]
    for layer, row in zip(layers, rows, strict=True):
        layer.alpha.data = torch.tensor(row)
    return layers


def _gradients(layers: list[ChoiceLayer]) -> list[list[float]]:
    return [[] if layer.alpha.grad is None else layer.alpha.grad.tolist() for layer in layers]


# columns of norm 5, 13 and √2
ALPHA = ((3.0, -5.0, 1.0), (4.0, 12.0, 1.0))
ROOT = 2**-0.5


@pytest.mark.parametrize(
    ("kind", "value", "gradients"),
    [
        ("min_column", 2**0.5, [[0, 0, ROOT], [0, 0, ROOT]]),
        ("group_lasso", 18 + 2**0.5, [[0.6, -5 / 13, ROOT], [0.8, 12 / 13, ROOT]]),
    ],
)
def test_column_sparsity(kind: Regularizer, value: float, gradients: list[list[float]]) -> None:
    layers = _layers(*ALPHA)
    penalty = column_sparsity(layers, kind)
    assert penalty.item() == pytest.approx(value)
    penalty.backward()
    for actual, expected in zip(_gradients(layers), gradients, strict=True):
        assert actual == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "value", "gradients"),
    [
        ("min_column", 5.0, [[0.6, 0, 0], [0.8, 0, 0]]),
        ("group_lasso", 18.0, [[0.6, -5 / 13, 0], [0.8, 12 / 13, 0]]),
    ],
)
def test_column_sparsity_leaves_removed_candidates_out(
    kind: Regularizer, value: float, gradients: list[list[float]]
) -> None:
    layers = _layers(*ALPHA)
    for layer in layers:
        layer.remove(2)
    penalty = column_sparsity(layers, kind)
    assert penalty.item() == pytest.approx(value)
    penalty.backward()
    for actual, expected in zip(_gradients(layers), gradients, strict=True):
        assert actual == pytest.approx(expected)


def test_a_column_of_zeros_has_a_finite_gradient() -> None:
    layers = _layers((0.0, 1.0, 1.0), (0.0, 1.0, 1.0))
    column_sparsity(layers, "min_column").backward()
    assert _gradients(layers) == [[0, 0, 0], [0, 0, 0]]


def test_expected_gmacs() -> None:
    # probabilities 1/4, 1/4, 1/2 and 1/8, 5/8, 2/8
    layers = _layers((0.0, 0.0, log(2)), (0.0, log(5), log(2)))
    for layer, macs in zip(layers, ((4e9, 8e9, 2e9), (8e9, 16e9, 0.0)), strict=True):
        layer.macs.copy_(torch.tensor(macs))
    cost = expected_gmacs(layers)
    assert cost.item() == pytest.approx((1 + 2 + 1) + (1 + 10 + 0))
    cost.backward()
    # dE/dα_i = p_i (cost_i - E)
    first, second = _gradients(layers)
    assert first == pytest.approx([0.0, 1.0, -1.0], abs=1e-6)
    assert second == pytest.approx([-3 / 8, 5 * 5 / 8, -11 / 4])
    layers[1].remove(1)
    # left there: probabilities 1/3 and 2/3
    assert expected_gmacs(layers).item() == pytest.approx(4 + 8 / 3)


def test_expected_milliseconds() -> None:
    # probabilities 1/4, 1/4, 1/2 and 1/8, 5/8, 2/8
    layers = _layers((0.0, 0.0, log(2)), (0.0, log(5), log(2)))
    for layer, times in zip(layers, ((0.4, 0.8, 0.2), (1.6, 3.2, 0.0)), strict=True):
        layer.milliseconds.copy_(torch.tensor(times))
    cost = expected_milliseconds(layers)
    assert cost.item() == pytest.approx((0.1 + 0.2 + 0.1) + (0.2 + 2.0 + 0.0))
    assert mixed_milliseconds(layers).item() == cost.item()
    cost.backward()
    # dE/dα_i = p_i (cost_i - E)
    assert _gradients(layers)[0] == pytest.approx([0.0, 0.1, -0.1], abs=1e-6)
    # of a pass that drew the first two: weights 1/2 and 1/2, and 1/6 and 5/6
    for layer in layers:
        layer.drawn = [0, 1]
    assert mixed_milliseconds(layers).item() == pytest.approx(0.6 + (1.6 + 16.0) / 6)


def test_scores_are_mean_probabilities_of_the_living() -> None:
    layers = _layers((0.0, 0.0, log(2)), (0.0, log(5), log(2)))
    scores = candidate_scores(layers)
    assert list(scores) == list(NAMES)
    assert list(scores.values()) == pytest.approx([3 / 16, 7 / 16, 6 / 16])
    for layer in layers:
        layer.remove(1)
    scores = candidate_scores(layers)
    assert scores == pytest.approx({"conv_k3_d1": 1 / 3, "ir_k3_d1_e1": 2 / 3})


def test_entropy() -> None:
    assert entropy(_layers((7.0, 7.0, 7.0))) == pytest.approx(log(3))
    assert entropy(_layers((100.0, 0.0, 0.0))) == pytest.approx(0, abs=1e-6)
    layers = _layers((0.0, 0.0, log(2)), (7.0, 7.0, 7.0))
    # (¼ + ¼) log 4 + ½ log 2
    assert entropy(layers) == pytest.approx((1.5 * log(2) + log(3)) / 2)
    for layer in layers:
        layer.remove(0)
    assert entropy(layers) == pytest.approx((log(3) - 2 / 3 * log(2) + log(2)) / 2)
