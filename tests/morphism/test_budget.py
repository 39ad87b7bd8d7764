"""Pruning down to a budget: the result fits it, as a network that loads, and comes close to it."""

import pytest
import torch
from students import FAMILIES, outputs, trained

from pipeline.detection.complexity import detector_complexity
from pipeline.morphism.budget import prune_within
from pipeline.morphism.errors import ActionError
from pipeline.search_space.architecture import Architecture


def _macs(architecture: Architecture) -> int:
    return detector_complexity(architecture, 10).components["backbone"].macs


@pytest.mark.parametrize("family", ["resnet, basic", "mobilenetv2"])
def test_a_detector_is_pruned_until_it_fits_and_no_further(family: str) -> None:
    architecture = FAMILIES[family]
    weights = trained(architecture)
    before = {name: value.clone() for name, value in weights.items()}
    budget = round(0.7 * _macs(architecture))
    pruned, smaller = prune_within(architecture, weights, budget, _macs, 2.0)
    # one channel of so narrow a network is much
    assert 0.75 * budget < _macs(pruned) <= budget
    assert all(torch.isfinite(value).all() for value in outputs(pruned, smaller))
    assert all(torch.equal(value, before[name]) for name, value in weights.items())


def test_a_detector_that_fits_stays_as_it_is_and_an_impossible_budget_is_refused() -> None:
    architecture = FAMILIES["resnet, basic"]
    weights = trained(architecture)
    same, kept = prune_within(architecture, weights, _macs(architecture), _macs, 2.0)
    assert same == architecture and kept.keys() == weights.keys()
    with pytest.raises(ActionError, match="no channel may leave"):
        prune_within(architecture, weights, 1, _macs, 50.0)
