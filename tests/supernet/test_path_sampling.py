"""Path sampling: k of N candidates run, drawn by their probabilities, renormalised."""

from collections import Counter
from itertools import combinations

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from pipeline.supernet.choice import ChoiceLayer

NAMES = ("conv_k3_d1", "conv_k3_d2", "conv_k5_d1", "sep_k3_d1", "sep_k5_d1")
ALPHA = (0.3, -0.4, 1.1, 0.0, 0.6)


class _Marked(nn.Module):
    """Stands for a candidate: notes that it ran, and gives its input times a factor."""

    def __init__(self, index: int, ran: list[int], factor: float) -> None:
        super().__init__()
        self.index, self.ran, self.factor = index, ran, factor

    def forward(self, input: Tensor) -> Tensor:
        self.ran.append(self.index)
        return input * self.factor


def _layer(
    paths: int | None, factors: tuple[float, ...] = (1.0,) * 5
) -> tuple[ChoiceLayer, list[int]]:
    layer = ChoiceLayer(NAMES, 1, 1)
    layer.alpha.data = torch.tensor(ALPHA)
    layer.paths = paths
    ran: list[int] = []
    for index, (name, factor) in enumerate(zip(NAMES, factors, strict=True)):
        layer.candidates[name] = _Marked(index, ran, factor)
    return layer, ran


def _draw(layer: ChoiceLayer, ran: list[int]) -> tuple[int, ...]:
    ran.clear()
    layer(torch.ones(1))
    return tuple(ran)


@pytest.mark.parametrize("paths", [1, 2, 4])
def test_k_candidates_run_and_their_weights_sum_to_one(paths: int) -> None:
    torch.manual_seed(0)
    layer, ran = _layer(paths)
    for _ in range(20):
        assert layer(torch.ones(1)).item() == pytest.approx(1.0, abs=1e-6)
        assert len(set(ran)) == len(ran) == paths
        ran.clear()


def test_the_drawn_candidates_share_the_weight_by_their_probabilities() -> None:
    torch.manual_seed(1)
    factors = (1.0, 10.0, 100.0, 1e3, 1e4)
    layer, ran = _layer(3, factors)
    output = layer(torch.ones(1))
    probabilities = torch.tensor(ALPHA, dtype=torch.float64).softmax(0)
    drawn = [float(probabilities[index]) for index in ran]
    expected = sum(p * factors[i] for p, i in zip(drawn, ran, strict=True)) / sum(drawn)
    assert output.item() == pytest.approx(expected, rel=1e-6)
    output.backward()
    assert layer.alpha.grad is not None
    assert layer.alpha.grad.nonzero().flatten().tolist() == ran


def test_a_single_path_leaves_alpha_as_it_is() -> None:
    """Alone it has weight one, whatever its α: so held components keep theirs in a screening."""
    layer, _ = _layer(1, (1.0, 10.0, 100.0, 1e3, 1e4))
    layer(torch.ones(1)).backward()
    assert layer.alpha.grad is not None and not layer.alpha.grad.any()


def test_the_same_seed_draws_the_same_paths() -> None:
    layer, ran = _layer(2)
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        runs.append([_draw(layer, ran) for _ in range(30)])
    assert runs[0] == runs[1] != runs[2]


def test_one_path_is_drawn_by_its_probability() -> None:
    torch.manual_seed(2)
    layer, ran = _layer(1)
    draws = 4000
    counts = Counter(_draw(layer, ran) for _ in range(draws))
    probabilities = torch.tensor(ALPHA, dtype=torch.float64).softmax(0).tolist()
    expected = [draws * p for p in probabilities]
    assert stats.chisquare([counts[(i,)] for i in range(5)], expected).pvalue > 0.01


def test_two_paths_are_drawn_without_replacement() -> None:
    torch.manual_seed(3)
    layer, ran = _layer(2)
    draws = 4000
    counts = Counter(_draw(layer, ran) for _ in range(draws))
    p = torch.tensor(ALPHA, dtype=torch.float64).softmax(0).tolist()
    pairs = list(combinations(range(5), 2))
    # either comes first; the second is drawn by its share of what the first leaves
    expected = [draws * p[i] * p[j] * (1 / (1 - p[i]) + 1 / (1 - p[j])) for i, j in pairs]
    assert stats.chisquare([counts[pair] for pair in pairs], expected).pvalue > 0.01


def test_evaluation_runs_all() -> None:
    layer, ran = _layer(2)
    assert _draw(layer.eval(), ran) == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("paths", [5, 9, None])
def test_as_many_paths_as_candidates_are_the_exact_sum(paths: int | None) -> None:
    factors = (1.0, 2.0, 3.0, 4.0, 5.0)
    layer, ran = _layer(paths, factors)
    output = layer(torch.ones(1))
    assert ran == [0, 1, 2, 3, 4]
    expected = torch.tensor(ALPHA).softmax(0) @ torch.tensor(factors)
    assert output.item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_removed_candidate_is_never_drawn() -> None:
    torch.manual_seed(4)
    layer, ran = _layer(2)
    # the likeliest, so that a draw of it would not be missed
    layer.remove(2)
    drawn = {index for _ in range(200) for index in _draw(layer, ran)}
    assert drawn == {0, 1, 3, 4}
    layer.remove(0)
    layer.remove(1)
    # fewer alive than paths asked for: all of them run
    layer.paths = 3
    assert _draw(layer, ran) == (3, 4)
