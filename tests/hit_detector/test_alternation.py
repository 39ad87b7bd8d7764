"""The alternation: each kind of step leaves the other kind of parameter bit-identical."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.config.hit_detector import Alternation, SearchConfig
from pipeline.hit_detector.alternation import AlternatingTask
from pipeline.hit_detector.search import TrinitySearch
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record
from pipeline.training.stream import BatchStream

NAMES = ("conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1")


class _Toy(nn.Module):
    """A searched layer, one that is not optimised, and a layer that is not searched."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.searched = ChoiceLayer(NAMES, 1, 2)
        self.fixed = ChoiceLayer(NAMES, 2, 2)
        self.last = nn.Conv2d(2, 1, 1)

    def forward(self, input: Tensor) -> Tensor:
        return self.last(self.fixed(self.searched(input)))


class _Plain(AlternatingTask):
    def penalty(self) -> Tensor:
        return torch.zeros(())


class _Images:
    """Images whose first pixel says which one they are."""

    def __init__(self, numbers: range) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.numbers[index])
        image = torch.rand(1, 5, 5, generator=generator)
        image[0, 0, 0] = self.numbers[index]
        return image


class _Observer:
    """A loss that notes at every call the parameters before it, and which images it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Tensor], set[int], set[str]]] = []

    def __call__(self, model: Any, batch: Tensor) -> tuple[Tensor, Record]:
        parameters = {n: p.detach().clone() for n, p in model.named_parameters()}
        trained = {n for n, p in model.named_parameters() if p.requires_grad}
        self.calls.append((parameters, set(batch[:, 0, 0, 0].int().tolist()), trained))
        loss = (model(batch) - batch).square().mean()
        return loss, {"loss": float(loss.detach())}


def _settings(kind: type[Alternation], optimizer: str, **more: Any) -> Any:
    return kind.model_validate(
        {
            "epochs": 3,
            "architecture_from_epoch": 2,
            "architecture_lr": 0.05,
            "optimizer": {"type": optimizer, "lr": 0.01, "weight_decay": 0.1, "clip_norm": 1.0},
            **more,
        }
    )


def _changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_each_step_changes_its_own_parameters_only(optimizer: str) -> None:
    model, observer = _Toy(), _Observer()
    streams = BatchStream(_Images(range(8)), 2, 1), BatchStream(_Images(range(8, 16)), 2, 2)
    task = _Plain(
        model, _settings(Alternation, optimizer), {"neck": [model.searched]}, observer, streams
    )
    assert (task.epoch_length, task.iterations) == (4, 12)
    alphas = {"searched.alpha", "fixed.alpha"}
    weights = {name for name, _ in model.named_parameters()} - alphas
    task.start(0)
    records = [task.step(iteration, task.fetch(iteration)) for iteration in range(12)]
    final = {n: p.detach().clone() for n, p in model.named_parameters()}
    # one call an iteration in the first epoch, then two
    assert len(observer.calls) == 4 + 2 * 8
    snapshots = [*(call[0] for call in observer.calls), final]
    seen: dict[str, set[int]] = {"weights": set(), "architecture": set()}
    for number, (_, images, trained) in enumerate(observer.calls):
        architecture_step = number >= 4 and number % 2 == 1
        changed = _changed(snapshots[number], snapshots[number + 1])
        if architecture_step:
            assert changed == {"searched.alpha"}
            assert trained == alphas
        else:
            # a convolution in front of a batch norm may by chance get a gradient of zero
            assert changed <= weights and len(changed) > len(weights) / 2
            assert trained == weights
        seen["architecture" if architecture_step else "weights"] |= images
    assert seen == {"weights": set(range(8)), "architecture": set(range(8, 16))}
    assert ["architecture_loss" in record for record in records] == [False] * 4 + [True] * 8
    assert all("entropy/neck" in record and record["lr"] > 0 for record in records)


def test_alpha_moves_by_adam_s_own_rate() -> None:
    """Adam's first step is its learning rate in size, whatever the gradient: by hand."""
    model, observer = _Toy(), _Observer()
    streams = BatchStream(_Images(range(8)), 2, 1), BatchStream(_Images(range(8, 16)), 2, 2)
    settings = _settings(Alternation, "sgd", architecture_from_epoch=1)
    task = _Plain(model, settings, {"neck": [model.searched]}, observer, streams)
    before = model.searched.alpha.detach().clone()
    task.start(0)
    task.step(0, task.fetch(0))
    moved = (model.searched.alpha.detach() - before).abs()
    assert moved.tolist() == pytest.approx([0.05] * 3, rel=1e-3)


def test_the_search_weighs_cost_by_lambda_and_prefers_the_cheap() -> None:
    """With a loss that no operation changes, only the cost is left to decide."""
    model = _Toy()
    for layer in (model.searched, model.fixed):
        layer.macs.copy_(torch.tensor([9e9, 3e9, 6e9]))
    streams = BatchStream(_Images(range(8)), 2, 1), BatchStream(_Images(range(8, 16)), 2, 2)

    def constant(model: Any, batch: Tensor) -> tuple[Tensor, Record]:
        loss = model.last.bias.square().sum() + 1
        return loss, {"loss": float(loss.detach())}

    task = TrinitySearch(
        model,
        _settings(SearchConfig, "sgd", cost_weight=0.5),
        {"neck": [model.searched], "head": [model.fixed]},
        constant,
        streams,
    )
    # uniform: 6 GMACs in each of the two layers
    assert task.penalty().item() == pytest.approx(0.5 * 12)
    task.start(0)
    records = [task.step(iteration, task.fetch(iteration)) for iteration in range(12)]
    for layer in (model.searched, model.fixed):
        dear, cheap, middle = layer.probabilities().tolist()
        assert cheap > 0.4 > max(dear, middle)
    costs = [record["expected_gmacs"] for record in records]
    assert costs[:4] == pytest.approx([12] * 4)
    assert costs[4:] == sorted(costs[4:], reverse=True) and costs[-1] < costs[4]
    first = records[4]
    assert first["architecture_loss"] == pytest.approx(1, abs=0.1)
    assert first["penalty"] == pytest.approx(6)


def test_the_search_prefers_the_faster_where_time_is_its_cost() -> None:
    """The candidate with the most MACs is the fastest: the order by one is the reverse of the other's."""
    model = _Toy()
    model.searched.macs.copy_(torch.tensor([9e9, 3e9, 6e9]))
    model.searched.milliseconds.copy_(torch.tensor([1.0, 9.0, 2.0]))
    streams = BatchStream(_Images(range(8)), 2, 1), BatchStream(_Images(range(8, 16)), 2, 2)

    def constant(model: Any, batch: Tensor) -> tuple[Tensor, Record]:
        loss = model.last.bias.square().sum() + 1
        return loss, {"loss": float(loss.detach())}

    settings = _settings(SearchConfig, "sgd", cost="latency", cost_weight=0.5)
    task = TrinitySearch(model, settings, {"neck": [model.searched]}, constant, streams)
    # uniform: 4 ms and 6 GMACs
    assert task.penalty().item() == pytest.approx(0.5 * 4)
    task.start(0)
    records = [task.step(iteration, task.fetch(iteration)) for iteration in range(12)]
    fast, slow, middle = model.searched.probabilities().tolist()
    assert fast > middle > slow
    assert records[4]["penalty"] == pytest.approx(2)
    times = [record["expected_milliseconds"] for record in records]
    assert times[:4] == pytest.approx([4] * 4)
    assert times[4:] == sorted(times[4:], reverse=True) and times[-1] < times[4]
    assert records[-1]["expected_gmacs"] > records[0]["expected_gmacs"]


def test_without_lambda_cost_decides_nothing() -> None:
    model = _Toy()
    model.searched.macs.copy_(torch.tensor([9e9, 3e9, 6e9]))
    streams = BatchStream(_Images(range(8)), 2, 1), BatchStream(_Images(range(8, 16)), 2, 2)
    settings = _settings(SearchConfig, "sgd", cost_weight=0.0)
    task = TrinitySearch(model, settings, {"neck": [model.searched]}, _Observer(), streams)
    penalty = task.penalty()
    penalty.backward()
    assert model.searched.alpha.grad is not None
    assert penalty.item() == 0 and not model.searched.alpha.grad.any()
