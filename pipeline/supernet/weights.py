"""Weights between supernets and networks; structure is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from pipeline.errors import DetSearchError

Weights = Mapping[str, Tensor]

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


def load_candidates(module: nn.Module, weights: Weights) -> None:
    """Load a supernet's weights into one over the same layers with fewer candidates, or the same.

    α starts afresh; the weights of candidates that `module` does not have are left out.

    Raises:
        WeightsMismatchError: weights are missing, have other shapes, or belong to nothing.
    """
    given = network_weights(weights)
    wanted = network_weights(module.state_dict())
    missing = sorted(wanted.keys() - given.keys())
    foreign = sorted(name for name in given.keys() - wanted.keys() if _CANDIDATES not in name)
    shapes = sorted(
        name for name in wanted.keys() & given.keys() if wanted[name].shape != given[name].shape
    )
    for problem, names in (
        ("missing", missing),
        ("unknown", foreign),
        ("of another shape", shapes),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise WeightsMismatchError(
                f"weights do not fit the network; {problem}: {', '.join(names[:5])}{more}"
            )
    module.load_state_dict({name: given[name] for name in wanted}, strict=False)


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
