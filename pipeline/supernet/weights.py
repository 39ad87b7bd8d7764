"""Weights between supernets and networks; structure is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor, nn

from pipeline.errors import DetSearchError

Weights = Mapping[str, Tensor]

SHOWN = 8
"""Tensors that a message lists of each kind."""

_CANDIDATES = ".candidates."
_SEARCH_STATE = ("alpha", "alive")


class WeightsMismatchError(DetSearchError):
    """Weights that do not belong to the network they are loaded into."""


def network_weights(weights: Weights) -> dict[str, Tensor]:
    """The weights without architecture parameters and the marks of removed candidates."""
    return {
        name: value
        for name, value in weights.items()
        if name.rpartition(".")[2] not in _SEARCH_STATE
    }


def load_strictly(module: nn.Module, weights: Weights, origin: Path) -> None:
    """Load weights that must fit a module exactly.

    Raises:
        WeightsMismatchError: names or shapes differ; the message names the file, and the tensors.
    """
    wanted = module.state_dict()
    _compare(wanted, weights, weights.keys() - wanted.keys(), origin)
    module.load_state_dict(dict(weights))


def load_candidates(module: nn.Module, weights: Weights, origin: Path) -> None:
    """Load a supernet's weights into one over the same layers with fewer candidates, or the same.

    α starts afresh; the weights of candidates that `module` does not have are left out.

    Raises:
        WeightsMismatchError: weights are missing, have other shapes, or belong to nothing; the message
            names the file, and the tensors.
    """
    given = network_weights(weights)
    wanted = network_weights(module.state_dict())
    foreign = {name for name in given.keys() - wanted.keys() if _CANDIDATES not in name}
    _compare(wanted, given, foreign, origin)
    module.load_state_dict({name: given[name] for name in wanted}, strict=False)


def _compare(wanted: Weights, given: Weights, foreign: Iterable[str], origin: Path) -> None:
    shapes = [
        f"{name} {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & given.keys())
        if wanted[name].shape != given[name].shape
    ]
    problems = {
        "missing": sorted(wanted.keys() - given.keys()),
        "unexpected": sorted(foreign),
        "of another shape": shapes,
    }
    lines = [
        f"  {problem} ({len(names)}): {', '.join(names[:SHOWN])}"
        + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        for problem, names in problems.items()
        if names
    ]
    if lines:
        raise WeightsMismatchError("\n".join([f"{origin} does not fit the network:", *lines]))


def path_weights(weights: Weights, path: Mapping[str, str]) -> dict[str, Tensor]:
    """The weights of the network that a path through a supernet derives.

    Args:
        weights: the supernet's.
        path: by dotted name of each choice layer, the operation chosen there.

    Returns:
        Weights by the names of the derived network, where the operation stands in the layer's place.
    """
    derived = {}
    for name, value in network_weights(weights).items():
        layer, inside, rest = name.partition(_CANDIDATES)
        if not inside:
            derived[name] = value
            continue
        operation, _, parameter = rest.partition(".")
        if path[layer] == operation:
            derived[f"{layer}.{parameter}"] = value
    return derived
