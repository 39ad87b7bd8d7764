"""Gather all candidates of a search into one file, from which its analyses are drawn (section 4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.base import NoSettings
from pipeline.hill_climb.descent import DESCENT, Descent
from pipeline.hill_climb.records import EVALUATION, Evaluation
from pipeline.runner.stage import Stage, stage_main

CONTROL = ".control_"
"""In the name of an artifact that is a control, `generation_<g>.control_<k>`."""


def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
    """Read the evaluations; a candidate that came after convergence has none."""
    given = stage.several("candidates")
    controls = {name: folder for name, folder in given.items() if CONTROL in name}
    candidates = (folder for name, folder in given.items() if name not in controls)
    return {DESCENT: Descent(_read(candidates), _read(controls.values())).content()}


def _read(folders: Iterable[Path]) -> Iterator[Evaluation]:
    found = (folder / EVALUATION for folder in folders)
    return (read_as(path, Evaluation) for path in found if path.exists())


if __name__ == "__main__":
    stage_main(run, NoSettings, several_inputs=("candidates",))
