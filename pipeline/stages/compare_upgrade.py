"""Joint-DetNAS's Table 4, from evaluations: the base, the base trained longer, and the search's result."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.report.joint_tables import read_evaluated, upgrade_table
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read metrics and speed; the order of the arguments is that of the rows."""
    detectors = {
        name: read_evaluated(folder) for name, folder in stage.several("detectors").items()
    }
    table, figure = upgrade_table(detectors)
    return {"joint_table4.csv": table.csv(), "joint_table4.svg": figure.file()}


if __name__ == "__main__":
    stage_main(run, Settings, several_inputs=("detectors",))
