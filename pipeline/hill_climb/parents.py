"""What candidates inherit of a member of the top-k list: its weights, and its teacher's statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, load_weights, save_weights
from pipeline.errors import DetSearchError
from pipeline.hill_climb.records import Name
from pipeline.search_space.slicing import Weights

PARENTS = "parents.safetensors"
"""The weights of a whole list, in the folder of a ranking, and the batch statistics of their teachers."""

TEACHER = "teacher.safetensors"
"""The batch statistics of a candidate's teacher, which the pool does not hold, in the candidate's folder."""

_TEACHERS = "teachers/"


@dataclass(frozen=True)
class Parent:
    """What a candidate hands on: the student's state dict, and the batch statistics of its teacher."""

    weights: Weights
    statistics: Weights


def parents_content(parents: Mapping[Name, Parent]) -> Content:
    """The content of `parents.safetensors`: a whole list in one file, by the names of the candidates."""
    tensors = {}
    for name, parent in parents.items():
        for prefix, state in (("", parent.weights), (_TEACHERS, parent.statistics)):
            tensors |= {f"{prefix}{_prefix(name)}{key}": value for key, value in state.items()}
    return lambda path: save_weights(path, tensors)


def read_parent(folder: Path) -> Parent:
    """What the candidate in `folder` hands on.

    Raises:
        ArtifactError: a file is missing or cannot be read.
    """
    return Parent(load_weights(folder / WEIGHTS)[0], load_weights(folder / TEACHER)[0])


def load_parent(folder: Path, name: Name) -> Parent:
    """What a member of the list of the ranking in `folder` hands on.

    Raises:
        ArtifactError: the file is missing or cannot be read.
        DetSearchError: it does not hold that candidate.
    """
    weights, _ = load_weights(folder / PARENTS, _prefix(name))
    if not weights:
        raise DetSearchError(f"{folder / PARENTS} holds no weights of {name.folder}")
    return Parent(weights, load_weights(folder / PARENTS, _TEACHERS + _prefix(name))[0])


def _prefix(name: Name) -> str:
    return f"{name.folder}/"
