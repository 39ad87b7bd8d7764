"""Draw a table or figure of a paper from artifacts of the run: a CSV file and an SVG figure.

Single artifacts are given as `--inputs NAME=FILE`, those of a group as `--inputs GROUP.NAME=FILE`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.problems import describe
from pipeline.errors import DetSearchError
from pipeline.runner.stage import Stage, stage_main


class Settings(Section):
    """Which drawing, the module of `pipeline.drawings` that lists it, and its own settings."""

    drawing: str
    paper: str
    settings: dict[str, Any]


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Hand the artifacts to the drawing's function."""
    name, paper = stage.settings.drawing, stage.settings.paper
    # by name: a change of one paper's drawings leaves those of the other as they are
    drawings = importlib.import_module(f"pipeline.drawings.{paper}").DRAWINGS
    if name not in drawings:
        raise DetSearchError(f"{paper} has no drawing {name!r}: it has {', '.join(drawings)}")
    one, several = _grouped(stage.several("inputs"))
    try:
        drawn = drawings[name](name, stage.settings.settings, one, several)
    except ValidationError as error:
        lines = "; ".join(describe(problem) for problem in error.errors())
        raise DetSearchError(f"settings of {name}: {lines}") from None
    return drawn.files(name)


def _grouped(
    inputs: Mapping[str, Path],
) -> tuple[dict[str, Path], dict[str, dict[str, Path]]]:
    """Single artifacts, and those of a group, whose names are `<group>.<name>`."""
    one: dict[str, Path] = {}
    several: dict[str, dict[str, Path]] = {}
    for name, folder in inputs.items():
        group, dot, member = name.partition(".")
        if dot:
            several.setdefault(group, {})[member] = folder
        else:
            one[name] = folder
    return one, several


if __name__ == "__main__":
    stage_main(run, Settings, several_inputs=("inputs",))
