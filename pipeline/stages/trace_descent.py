"""Gather all candidates of a search into one file, from which its analyses are drawn (section 4.3)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.base import NoSettings
from pipeline.hill_climb.descent import DESCENT, Descent
from pipeline.hill_climb.records import Evaluation
from pipeline.runner.stage import Stage, stage_main


def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
    """Read the evaluations; a candidate that came after convergence has none."""
    folders = stage.several("candidates").values()
    found = [folder / "evaluation.json" for folder in folders]
    descent = Descent(read_as(path, Evaluation) for path in found if path.exists())
    return {DESCENT: descent.content()}


if __name__ == "__main__":
    stage_main(run, NoSettings, several_inputs=("candidates",))
