"""Joint-DetNAS's Figure 4, from whole searches: teachers that evolve, and one teacher throughout."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.hill_climb.descent import DESCENT, Descent
from pipeline.report.joint_search import teacher_comparison
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read the searches; the order of the arguments is that of the curves."""
    searches = {
        name: Descent.load(folder / DESCENT) for name, folder in stage.several("searches").items()
    }
    table, figure = teacher_comparison(searches)
    return {"joint_figure4.csv": table.csv(), "joint_figure4.svg": figure.file()}


if __name__ == "__main__":
    stage_main(run, Settings, several_inputs=("searches",))
