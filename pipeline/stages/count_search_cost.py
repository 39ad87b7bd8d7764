"""Joint-DetNAS's Table 7: what the search cost, from the manifests of all that its result descends from."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.lineage import base_folder, descended_from
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.base import Section
from pipeline.hill_climb.descent import DESCENT, Descent
from pipeline.report.inputs import Metrics
from pipeline.report.joint_tables import search_cost_table
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Walk from the student's evaluation to the data, and add up."""
    evaluation = stage.inputs["evaluation"]
    descent = Descent.load(stage.inputs["descent"] / DESCENT)
    run_folder = base_folder(evaluation, Manifest.load(evaluation / MANIFEST))
    if run_folder is None:
        raise ArtifactError(f"{evaluation}: no folder around it holds what it was made from")
    folder = evaluation.absolute().relative_to(run_folder.absolute()).as_posix()
    manifests = descended_from(run_folder, folder)
    result = read_as(evaluation / "metrics.json", Metrics)
    table, figure = search_cost_table(manifests, len(descent.evaluations), result)
    return {"joint_table7.csv": table.csv(), "joint_table7.svg": figure.file()}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("evaluation", "descent"))
