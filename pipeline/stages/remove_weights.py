"""Remove the weights of candidates from which no later one can descend (Joint-DetNAS).

The lists before the latest keep theirs no longer, either. Whatever else the artifacts hold stays, and so do
their manifests.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.artifacts.removal import remove_files
from pipeline.artifacts.weights import WEIGHTS
from pipeline.config.base import NoSettings
from pipeline.hill_climb.parents import PARENTS
from pipeline.hill_climb.ranking import no_longer_parents
from pipeline.hill_climb.records import load_evaluation, load_ranking
from pipeline.runner.stage import Stage, stage_main


def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
    """Remove; publish the list of what is gone."""
    folders = {
        evaluation.proposal.name: folder
        for folder in stage.several("candidates").values()
        if (evaluation := load_evaluation(folder))
    }
    gone = no_longer_parents(load_ranking(stage.inputs["ranking"]), folders)
    for name in gone:
        remove_files(folders[name], [WEIGHTS])
    if former := stage.inputs.get("former"):
        remove_files(former, [PARENTS])
    return {"removed.json": json_bytes({"format": 1, "candidates": [name.folder for name in gone]})}


if __name__ == "__main__":
    stage_main(
        run,
        NoSettings,
        inputs=("ranking",),
        optional_inputs=("former",),
        several_inputs=("candidates",),
    )
