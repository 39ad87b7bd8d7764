"""Propose the candidates of a generation from the list of the one before (Joint-DetNAS, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import NonNegativeInt

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.hill_climb import Proposing, Variant
from pipeline.hill_climb.proposals import propose
from pipeline.hill_climb.records import PROPOSALS, Ranking, load_ranking, proposals_bytes
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.teacher_pool.space import load_space


class Settings(Section):
    """What the stage uses of the config, which generation it is, and of what search."""

    proposing: Proposing
    generation: NonNegativeInt
    variant: Variant = Variant()


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Draw the candidates; none once the search has converged, or the one whose budget this one has."""
    settings, inputs = stage.settings, stage.inputs
    if "budget" in inputs and load_ranking(inputs["budget"]).converged:
        return {PROPOSALS: proposals_bytes(())}
    wave = propose(
        settings.generation,
        load_ranking(inputs["ranking"]) if "ranking" in inputs else Ranking(),
        Architecture.load(inputs["base"] / ARCHITECTURE),
        load_space(inputs["pool"]),
        settings.proposing,
        stage.seed,
        settings.variant,
    )
    return {PROPOSALS: proposals_bytes(wave)}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("base", "pool"), optional_inputs=("ranking", "budget"))
