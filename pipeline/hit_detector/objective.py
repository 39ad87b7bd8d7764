"""What the architecture parameters minimise besides the detection loss, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.config.hit_detector import Regularizer
from pipeline.supernet.choice import ChoiceLayer


def column_sparsity(layers: Sequence[ChoiceLayer], kind: Regularizer) -> Tensor:
    """Column-sparse regularisation of α ∈ R^{L×N} (Hit-Detector, Eq. 4), without its weight μ.

    Args:
        layers: the L layers of one component, which have the same living candidates.
        kind: `min_column` is Eq. 4 as printed, min_i √(Σ_l α²_{l,i}): it lowers the weakest
            candidate, which removal then takes. `group_lasso` is the usual Σ_i √(Σ_l α²_{l,i}).

    Returns:
        A scalar, differentiable in α.
    """
    alpha = torch.stack([layer.alpha[layer.living_index] for layer in layers])
    norms = alpha.norm(dim=0)
    return norms.min() if kind == "min_column" else norms.sum()


def expected_gmacs(layers: Sequence[ChoiceLayer]) -> Tensor:
    """Σ_l Σ_o p_{l,o} · MACs(o, l) in units of 10⁹ (Hit-Detector, Eq. 7); a scalar."""
    return torch.stack([layer.expected(layer.macs) for layer in layers]).sum() / 1e9


def mixed_gmacs(layers: Sequence[ChoiceLayer]) -> Tensor:
    """Eq. 7 over the candidates that the last pass drew, by the weights that mixed them; 10⁹, a scalar.

    The loss of a pass moves the α of its drawn candidates alone. So must its cost: then each pass
    minimises Σ_o w_o (loss of o + λ MACs(o)), and λ is what a GMAC may cost in units of the loss, however
    many candidates are drawn. Both gradients shrink alike with fewer paths: of equally probable
    candidates, k of N drawn, both are (1 - 1/k) / (1 - 1/N) of those of all, in the mean over the draws.
    The cost of all candidates would be the only thing that α feels that is not drawn, and Adam, which
    scales steps by what an α feels, would make of any λ a step of its full rate.
    """
    return torch.stack([layer.mixed(layer.macs) for layer in layers]).sum() / 1e9


def expected_milliseconds(layers: Sequence[ChoiceLayer]) -> Tensor:
    """Σ_l Σ_o p_{l,o} · ms(o, l): Eq. 7 with measured times in the place of MACs; a scalar."""
    return torch.stack([layer.expected(layer.milliseconds) for layer in layers]).sum()


def mixed_milliseconds(layers: Sequence[ChoiceLayer]) -> Tensor:
    """Those of the candidates that the last pass drew, by the weights that mixed them; see `mixed_gmacs`."""
    return torch.stack([layer.mixed(layer.milliseconds) for layer in layers]).sum()


@torch.no_grad()
def candidate_scores(layers: Sequence[ChoiceLayer]) -> dict[str, float]:
    """Score of each living candidate: its softmax probability, averaged over the layers."""
    mean = torch.stack([layer.probabilities() for layer in layers]).mean(0).tolist()
    return {layers[0].names[index]: mean[index] for index in layers[0].living}


@torch.no_grad()
def entropy(layers: Sequence[ChoiceLayer]) -> Tensor:
    """Mean entropy of the layers' probabilities, nats: log N when undecided, 0 when decided; a scalar."""
    total = torch.zeros((), dtype=torch.float64, device=layers[0].alpha.device)
    for layer in layers:
        probabilities = layer.probabilities()[layer.living_index]
        total += -(probabilities * probabilities.clamp_min(1e-12).log()).sum().double()
    return total / len(layers)
