"""Joint-DetNAS's Table 5, from evaluations: pipelines that prune and then distil, and the joint search."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.report.joint_tables import Pipeline, pipeline_table, read_evaluated
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read the ends of all, and the starts of those that have one."""
    starts = stage.several("starts")
    pipelines = {
        name: Pipeline(
            read_evaluated(starts[name]) if name in starts else None, read_evaluated(folder)
        )
        for name, folder in stage.several("ends").items()
    }
    table, figure = pipeline_table(pipelines)
    return {"joint_table5.csv": table.csv(), "joint_table5.svg": figure.file()}


if __name__ == "__main__":
    stage_main(run, Settings, several_inputs=("starts", "ends"))
