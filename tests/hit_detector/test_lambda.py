"""λ is the price of a GMAC in units of the loss, however many candidates a step draws (Eq. 6 and 7)."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.config.hit_detector import SearchConfig
from pipeline.hit_detector.objective import mixed_gmacs
from pipeline.hit_detector.search import TrinitySearch
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record
from pipeline.training.seeding import seed_everything
from pipeline.training.stream import BatchStream

NAMES = ("conv_k3_d1", "conv_k5_d1", "sep_k3_d1", "sep_k5_d1")
LAYERS = 4


class _Worth(nn.Module):
    """Stands for a candidate: what the loss is with it, and a noise of its own from batch to batch."""

    def __init__(self, loss: float, place: int) -> None:
        super().__init__()
        self.loss, self.place = loss, place

    def forward(self, noise: Tensor) -> Tensor:
        return self.loss + noise[self.place]


class _Planted(nn.Module):
    """Layers whose mixtures add up to the loss: the dearer a candidate, the lower its loss."""

    def __init__(self, losses: np.ndarray, gmacs: np.ndarray, paths: int | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.layers = nn.ModuleList(ChoiceLayer(NAMES, 1, 1) for _ in losses)
        for number, (layer, loss, cost) in enumerate(
            zip(self.searched, losses, gmacs, strict=True)
        ):
            layer.paths = paths
            layer.macs.copy_(torch.tensor(1e9 * cost))
            for place, name in enumerate(NAMES):
                layer.candidates[name] = _Worth(loss[place], len(NAMES) * number + place)

    @property
    def searched(self) -> list[ChoiceLayer]:
        return [layer for layer in self.layers if isinstance(layer, ChoiceLayer)]

    def forward(self, noise: Tensor) -> Tensor:
        total = torch.stack([layer(noise) for layer in self.layers]).sum()
        return total + self.weight.square().sum()


def _loss(model: Any, batch: Tensor) -> tuple[Tensor, Record]:
    loss = model(batch.mean(0))
    return loss, {"loss": float(loss.detach())}


def _search(
    losses: np.ndarray, gmacs: np.ndarray, price: float, paths: int | None, noise: float, steps: int
) -> tuple[_Planted, list[Record]]:
    seed_everything(0, "weights")
    model = _Planted(losses, gmacs, paths)
    generator = torch.Generator().manual_seed(0)
    images = list(noise * torch.randn(64, LAYERS * len(NAMES), generator=generator))
    streams = BatchStream(images, 8, 0), BatchStream(images, 8, 1)
    settings = SearchConfig(
        epochs=steps // 8,
        architecture_from_epoch=1,
        architecture_lr=0.05,
        cost_weight=price,
        batch_size=8,
    )
    task = TrinitySearch(model, settings, {"neck": model.searched}, _loss, streams)
    task.start(0)
    records = []
    for iteration in range(steps):
        seed_everything(0, "step", iteration)
        records.append(task.step(iteration, task.fetch(iteration)))
    return model, records


@pytest.mark.parametrize("paths", [2, None])
def test_a_larger_lambda_gives_the_cheaper_network_that_it_asks_for(paths: int | None) -> None:
    gmacs = np.tile([1.0, 2.0, 4.0, 8.0], (LAYERS, 1))
    # what a further GMAC is worth falls with every one, and differs from layer to layer
    losses = -np.array([[0.13], [0.28], [0.5], [0.65]]) * np.log2(gmacs)
    found = []
    for price in (0.0, 0.1, 0.4):
        model, records = _search(losses, gmacs, price, paths, noise=0.05, steps=240)
        chosen = [int(layer.alpha.argmax()) for layer in model.searched]
        # of each layer by itself, since the losses add up
        assert chosen == (losses + price * gmacs).argmin(1).tolist()
        found.append(gmacs[range(LAYERS), chosen].sum())
        assert (records[0]["gradient/penalty"] > 0) == (price > 0)
    assert found[0] > found[1] > found[2]


def test_the_gradients_of_cost_and_loss_keep_their_ratio_whatever_is_drawn() -> None:
    """Where a GMAC costs 0.3 everywhere, λ = 0.1 is a third of it: in every single step."""
    rng = np.random.default_rng(1)
    gmacs = rng.uniform(1, 9, (LAYERS, len(NAMES)))
    for paths in (2, 3, None):
        _, records = _search(0.3 * gmacs, gmacs, 0.1, paths, noise=0.0, steps=8)
        for record in records:
            ratio = record["gradient/penalty"] / record["gradient/loss"]
            assert ratio == pytest.approx(1 / 3, rel=1e-3)


@pytest.mark.parametrize("paths", [2, 3])
def test_fewer_paths_shrink_both_gradients_alike(paths: int) -> None:
    """Of equally probable candidates the mean over all draws is (1 - 1/k) / (1 - 1/N) of those of all."""
    count = len(NAMES)
    rng = np.random.default_rng(2)
    losses, gmacs = rng.normal(size=(2, 1, count))
    model = _Planted(losses, gmacs, paths)
    (layer,) = model.searched

    def gradients(drawn: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        chosen = list(drawn)
        output = layer(torch.zeros(count), (chosen, layer.alpha[chosen].softmax(0)))
        found = []
        for scalar in (output, mixed_gmacs([layer])):
            (gradient,) = torch.autograd.grad(scalar, [layer.alpha])
            found.append(gradient.numpy())
        return found[0], found[1]

    draws = np.mean([gradients(drawn) for drawn in combinations(range(count), paths)], axis=0)
    # of all: p (value - mean), by hand
    for mean, values in zip(draws, (losses[0], gmacs[0]), strict=True):
        whole = (values - values.mean()) / count
        assert mean == pytest.approx(whole * (1 - 1 / paths) / (1 - 1 / count), rel=1e-4)
