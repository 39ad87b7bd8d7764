"""Weights from a supernet to one over fewer candidates: what is taken, and what is refused."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.supernet.choice import ALPHA_START, ChoiceLayer
from pipeline.supernet.weights import WeightsMismatchError, load_candidates, path_weights

FILE = Path("given/w.pth")
ALL = ("ir_k3_d1_e3", "sep_k5_d2", "conv_k3_d1", "ir_k5_d1_e1")


def _supernet(candidates: tuple[str, ...], channels: int = 6) -> nn.Module:
    return nn.ModuleDict(
        {
            "stem": nn.Conv2d(3, 4, 3),
            "first": ChoiceLayer(candidates, 4, channels, 2),
            "second": ChoiceLayer(candidates, channels, channels),
        }
    )


def _trained() -> nn.Module:
    """A supernet whose every tensor has values of its own, one candidate removed."""
    torch.manual_seed(0)
    supernet = _supernet(ALL)
    for value in supernet.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 2)
    for name in ("first", "second"):
        layer = supernet.get_submodule(name)
        assert isinstance(layer, ChoiceLayer)
        layer.remove(0)
    return supernet


# in another order, with the removed one among them
@pytest.mark.parametrize("kept", [ALL, ("conv_k3_d1", "ir_k3_d1_e3"), ("sep_k5_d2",)])
def test_candidates_are_taken_by_name_and_alpha_starts_afresh(kept: tuple[str, ...]) -> None:
    large = _trained()
    before = copy.deepcopy(large.state_dict())
    small = _supernet(kept)
    load_candidates(small, large.state_dict(), FILE)
    for name, value in small.state_dict().items():
        if name.endswith("alpha"):
            assert value.tolist() == [ALPHA_START] * len(kept)
        elif name.endswith("alive"):
            assert value.all()
        else:
            assert torch.equal(value, before[name]), name
    input = torch.randn(2, 4, 8, 8)
    for operation in kept:
        ours, theirs = (
            net.get_submodule(f"first.candidates.{operation}").eval()(input)
            for net in (small, large)
        )
        assert torch.equal(ours, theirs)


def test_a_candidate_without_weights_is_named() -> None:
    with pytest.raises(
        WeightsMismatchError,
        match=r"w\.pth does not fit.*\n.*missing \(12\): first\.candidates\.conv_k5_d1\.bn",
    ):
        load_candidates(_supernet(("conv_k5_d1", "conv_k3_d1")), _trained().state_dict(), FILE)


def test_foreign_weights_are_named() -> None:
    weights = {**_trained().state_dict(), "head.weight": torch.zeros(1)}
    with pytest.raises(WeightsMismatchError, match=r"unexpected \(1\): head\.weight$"):
        load_candidates(_supernet(ALL[:2]), weights, FILE)


def test_weights_of_another_shape_are_named_and_counted() -> None:
    small = _supernet(ALL[:2], channels=5)
    with pytest.raises(
        WeightsMismatchError,
        match=r"of another shape \(\d+\): first\.candidates\S+ \(.*\), not \(.* and \d+ more",
    ):
        load_candidates(small, _trained().state_dict(), FILE)


def test_nothing_is_loaded_when_something_does_not_fit() -> None:
    small = _supernet(ALL[:2])
    before = copy.deepcopy(small.state_dict())
    weights = dict(_trained().state_dict())
    del weights["stem.bias"]
    with pytest.raises(WeightsMismatchError, match=r"missing \(1\): stem\.bias$"):
        load_candidates(small, weights, FILE)
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())


def test_the_weights_of_a_path_take_the_layer_s_place() -> None:
    supernet = _trained()
    path = {"first": "sep_k5_d2", "second": "ir_k5_d1_e1"}
    weights = path_weights(supernet.state_dict(), path)
    for layer, operation in path.items():
        chosen = supernet.get_submodule(f"{layer}.candidates.{operation}").state_dict()
        there = {n.removeprefix(f"{layer}."): v for n, v in weights.items() if n.startswith(layer)}
        assert there.keys() == chosen.keys()
        assert all(torch.equal(there[name], value) for name, value in chosen.items())
    rest = {name for name in weights if not name.startswith(("first", "second"))}
    assert rest == {"stem.weight", "stem.bias"}
