"""JSON files that stages exchange, read as a model: a missing or wrong key is told with its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_json

Model = TypeVar("Model")


def read_as(path: Path, kind: type[Model]) -> Model:
    """Read a JSON file as a model, or as a type such as `list[Detection]`.

    Raises:
        ArtifactError: the file is missing or not JSON, or a key is missing or wrong; names both.
    """
    return parse_as(read_json(path), kind, path)


def parse_as(content: Any, kind: type[Model], path: Path) -> Model:
    """Validate what `path` holds; raises as `read_as` does."""
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise ArtifactError(f"{path} is not what is read here: {problems}") from error
