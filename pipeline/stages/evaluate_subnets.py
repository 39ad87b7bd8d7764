"""Evaluate a share of a generation's subnets: AP on val with recalibrated batch statistics, and cost."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import NonNegativeInt, PositiveInt

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.front import FrontStage
from pipeline.front.judging import judge_of
from pipeline.front.predictor import PREDICTOR, Predictor
from pipeline.front.records import EVALUATIONS, GENERATION, Generation, Shard, record_bytes
from pipeline.front.search import evaluate_subnets
from pipeline.runner.stage import Stage, stage_main
from pipeline.teacher_pool.pool import load_pool


class Settings(FrontStage):
    """What the stage uses of the config, and which share it is."""

    val_images: PositiveInt | None
    shard: NonNegativeInt
    shards: PositiveInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Every so many-th subnet of the generation."""
    settings, inputs = stage.settings, stage.inputs
    judge = judge_of(settings, inputs["data"])
    predictor = inputs.get("predictor")
    evaluated = evaluate_subnets(
        load_pool(inputs["pool"], judge.around, stage.device),
        read_as(inputs["bred"] / GENERATION, Generation).offspring[
            settings.shard :: settings.shards
        ],
        judge,
        settings.recalibration,
        settings.proposals,
        settings.val_images,
        read_as(predictor / PREDICTOR, Predictor) if predictor else None,
        stage.device,
    )
    return {EVALUATIONS: record_bytes(Shard(evaluated=evaluated))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "pool", "bred"), optional_inputs=("predictor",))
