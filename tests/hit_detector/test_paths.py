"""Paths of a supernet: what they cost, counted anew on the network, and the best that keeps a budget."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from pipeline.config.hit_detector import ScreeningConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.hit_detector.budget import path_space, require_budget
from pipeline.hit_detector.paths import PathSpace, best_within
from pipeline.hit_detector.spaces import supernet_architecture

OPERATIONS = {
    "backbone": ("ir_k3_d1_e6", "sep_k3_d1", "conv_k5_d1"),
    "neck": ("conv_k3_d1", "sep_k5_d1"),
    "head": ("ir_k3_d1_e1",),
}
SHAPE = SupernetConfig(
    input_size=(64, 64),
    proposals=10,
    channels=(8, 8, 12, 12),
    depth=(1, 1, 2, 1),
    neck_channels=8,
    rpn_channels=8,
    head_blocks=1,
    head_fc_channels=16,
    roi_size=3,
)
SUPERNET = supernet_architecture(SHAPE, 3, SHAPE.depth, OPERATIONS)


@pytest.fixture(scope="module")
def space() -> PathSpace:
    return path_space(SUPERNET, SHAPE.proposals)


def test_a_path_costs_what_its_network_costs(space: PathSpace) -> None:
    assert [len(costs) for costs in space.macs] == [3] * 5 + [2] * 8 + [1]
    rng = np.random.default_rng(0)
    totals = set()
    for _ in range(3):
        path = space.random(rng)
        network = space.network(path)
        for layer, choice in zip(space.layers, path, strict=True):
            operation = network.blocks(layer[0])[layer[1]].operation
            assert operation == space.operations(layer)[choice] == OPERATIONS[layer[0]][choice]
        cost = detector_complexity(network, SHAPE.proposals).total.macs
        assert space.cost(path) == cost
        totals.add(cost)
    assert len(totals) == 3


def _with_budget(space: PathSpace, budget: float) -> PathSpace:
    return PathSpace(space.supernet, space.layers, space.macs, space.fixed, budget)


def test_drawn_paths_keep_the_budget_and_only_dear_ones_are_mended(space: PathSpace) -> None:
    drawn = [space.random(np.random.default_rng(seed)) for seed in range(200)]
    costs = sorted(map(space.cost, drawn))
    least = space.fixed + sum(costs.min() for costs in space.macs)
    for budget in (costs[100], least):
        tight = _with_budget(space, budget)
        mended = [tight.random(np.random.default_rng(seed)) for seed in range(200)]
        assert all(tight.cost(path) <= budget for path in mended)
        kept = [one == other for one, other in zip(drawn, mended, strict=True)]
        assert kept == [space.cost(path) <= budget for path in drawn]
    # at the least cost there is one path
    assert len(set(mended)) == 1


def test_a_budget_that_nothing_keeps_is_refused_with_the_least(space: PathSpace) -> None:
    least = (space.fixed + sum(costs.min() for costs in space.macs)) / 1e9
    assert path_space(SUPERNET, SHAPE.proposals, least).budget == pytest.approx(1e9 * least)
    with pytest.raises(DetSearchError, match=rf"max_gmacs .*the cheapest has {least:.4g} GMACs"):
        path_space(SUPERNET, SHAPE.proposals, 0.99 * least)
    # before the screening: any of the candidates, anywhere
    candidates = tuple(sorted({name for names in OPERATIONS.values() for name in names}))
    keep = dict.fromkeys(OPERATIONS, 1)
    anything = ScreeningConfig.model_validate({"candidates": candidates, "keep": keep})
    require_budget(SHAPE, anything, 0.99 * least)
    with pytest.raises(DetSearchError, match="no architecture keeps"):
        require_budget(SHAPE, anything, space.fixed / 2e9)


def _problem(rng: np.random.Generator, layers: int, candidates: int) -> Any:
    costs = [rng.integers(1, 40, candidates).astype(float) for _ in range(layers)]
    # the dearer the better, as in networks, and some that must not be taken
    values = [np.log(cost) + rng.normal(0, 0.7, candidates) for cost in costs]
    for value in values:
        if rng.random() < 0.3:
            value[rng.integers(1, candidates)] = -np.inf
    return values, costs


@pytest.mark.parametrize("seed", range(12))
def test_the_best_within_a_budget_is_that_of_all_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, costs = _problem(rng, 5, 3)
    everything = {
        path: (
            sum(value[k] for value, k in zip(values, path, strict=True)),
            sum(cost[k] for cost, k in zip(costs, path, strict=True)),
        )
        for path in product(range(3), repeat=5)
    }
    spent = sorted(cost for value, cost in everything.values() if np.isfinite(value))
    assert best_within(values, costs, spent[0] - 0.5) is None
    for budget in (spent[0], spent[3], spent[len(spent) // 3], spent[-1], 2 * spent[-1]):
        path = best_within(values, costs, budget)
        assert path is not None
        value, cost = everything[path]
        assert cost <= budget
        best = max(value for value, cost in everything.values() if cost <= budget)
        assert value == pytest.approx(best)


def test_it_is_exact_at_the_paper_s_size() -> None:
    """32 layers of 8 candidates, against the table of the best value for every whole cost."""
    values, costs = _problem(np.random.default_rng(0), 32, 8)
    budget = 400
    table = np.full(budget + 1, -np.inf)
    table[0] = 0
    for value, cost in zip(values, costs, strict=True):
        after = np.full(budget + 1, -np.inf)
        for gain, price in zip(value, cost.astype(int), strict=True):
            after[price:] = np.maximum(after[price:], table[: budget + 1 - price] + gain)
        table = after
    path = best_within(values, costs, budget)
    assert path is not None
    assert sum(v[k] for v, k in zip(values, path, strict=True)) == pytest.approx(table.max())
    assert sum(c[k] for c, k in zip(costs, path, strict=True)) <= budget
