"""Gather all candidates of a search into one file, from which its analyses are drawn (section 4.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.base import NoSettings
from pipeline.hill_climb.descent import DESCENT, Descent
from pipeline.hill_climb.records import EVALUATION, Evaluation
from pipeline.runner.stage import Stage, stage_main


def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
    """Read the evaluations; a candidate that came after convergence has none."""
    candidates, controls = (_evaluations(stage, name) for name in ("candidates", "controls"))
    return {DESCENT: Descent(candidates, controls).content()}


def _evaluations(stage: Stage[NoSettings], argument: str) -> Iterator[Evaluation]:
    found = [folder / EVALUATION for folder in stage.several(argument).values()]
    return (read_as(path, Evaluation) for path in found if path.exists())


if __name__ == "__main__":
    stage_main(run, NoSettings, several_inputs=("candidates", "controls"))
