"""Validation errors as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pipeline.errors import shortened


def describe(problem: Any, root: type[BaseModel] | None = None) -> str:
    """One of pydantic's errors as a line: path, what is wrong, what is allowed, what was given."""
    path = ".".join(map(str, problem["loc"])) or "config"
    if problem["type"] == "extra_forbidden":
        allowed = _allowed_keys(root, problem["loc"]) if root else []
        return f"{path}: unknown key" + (f"; allowed here: {', '.join(allowed)}" if allowed else "")
    message = problem["msg"].removeprefix("Value error, ")
    given = problem["input"]
    shown = "" if isinstance(given, Mapping | BaseModel) else f" (given: {shortened(repr(given))})"
    return f"{path}: {message}{shown}"


def _allowed_keys(model: Any, location: tuple[Any, ...]) -> list[str]:
    """Keys of the section that holds the unknown key at `location`, as far as it is one model."""
    for key in location[:-1]:
        field = model.model_fields.get(key)
        model = getattr(field, "annotation", None)
        if not isinstance(model, type) or not issubclass(model, BaseModel):
            return []
    return sorted(model.model_fields)
