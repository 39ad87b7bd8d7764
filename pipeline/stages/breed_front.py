"""Breed a generation of the search for a front (NSGA-II), out of all that was evaluated before."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import NonNegativeInt

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.base import Section
from pipeline.config.front import Breeding
from pipeline.front.breeding import bred
from pipeline.front.records import EVALUATIONS, GENERATION, Generation, Shard, record_bytes
from pipeline.runner.stage import Stage, stage_main
from pipeline.teacher_pool.space import load_space


class Settings(Section):
    """What the stage uses of the config, which generation it is, and whether there is one after it."""

    breeding: Breeding
    generation: NonNegativeInt
    last: bool


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Put the shards of the generation before together, and breed its children."""
    settings = stage.settings
    former = stage.inputs.get("former")
    generation = bred(
        load_space(stage.inputs["pool"]),
        read_as(former / GENERATION, Generation) if former else None,
        [read_as(folder / EVALUATIONS, Shard) for folder in stage.several("shards").values()],
        settings.breeding,
        settings.generation,
        stage.seed,
        last=settings.last,
    )
    return {GENERATION: record_bytes(generation)}


if __name__ == "__main__":
    stage_main(
        run,
        Settings,
        inputs=("pool",),
        optional_inputs=("former", "shards"),
        several_inputs=("shards",),
    )
