"""Rank a generation's candidates among the best so far (Joint-DetNAS, Algorithm 1).

The list comes with the weights of its members and the batch statistics of their teachers, which the next
generation inherits.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.hill_climb import Listing
from pipeline.hill_climb.parents import PARENTS, load_parent, parents_content, read_parent
from pipeline.hill_climb.ranking import rank
from pipeline.hill_climb.records import (
    RANKING,
    Ranking,
    load_evaluation,
    load_ranking,
    record_bytes,
)
from pipeline.runner.stage import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config, and whether the best are parents."""

    listing: Listing
    ranked: bool = True


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Order the candidates by H, and gather the weights of the first."""
    former = stage.inputs.get("former")
    before = load_ranking(former) if former else Ranking()
    folders, wave = {}, []
    for folder in stage.several("candidates").values():
        if evaluation := load_evaluation(folder):
            wave.append(evaluation)
            folders[evaluation.proposal.name] = folder
    after = rank(before, wave, stage.settings.listing, ranked=stage.settings.ranked)
    parents = {}
    for evaluation in after.top:
        name = evaluation.proposal.name
        if name in folders:
            parents[name] = read_parent(folders[name])
        else:
            assert former, "who is neither a candidate nor in the former list is in no list"
            parents[name] = load_parent(former, name)
    return {RANKING: record_bytes(after), PARENTS: parents_content(parents)}


if __name__ == "__main__":
    stage_main(run, Settings, optional_inputs=("former",), several_inputs=("candidates",))
