"""The weights that candidates inherit: those of the base, or of a member of the top-k list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import load_weights, save_weights
from pipeline.errors import DetSearchError
from pipeline.hill_climb.records import Name
from pipeline.search_space.slicing import Weights

PARENTS = "parents.safetensors"
"""The weights of a whole list, in the folder of a ranking."""


def parents_content(weights: Mapping[Name, Weights]) -> Content:
    """The content of `parents.safetensors`: state dicts in one file, by the names of their candidates."""
    tensors = {
        f"{_prefix(name)}{key}": tensor
        for name, state in weights.items()
        for key, tensor in state.items()
    }
    return lambda path: save_weights(path, tensors)


def load_parent(folder: Path, name: Name) -> dict[str, Tensor]:
    """The state dict of a member of the list of the ranking in `folder`.

    Raises:
        ArtifactError: the file is missing or cannot be read.
        DetSearchError: it does not hold that candidate.
    """
    weights, _ = load_weights(folder / PARENTS, _prefix(name))
    if not weights:
        raise DetSearchError(f"{folder / PARENTS} holds no weights of {name.folder}")
    return weights


def _prefix(name: Name) -> str:
    return f"{name.folder}/"
