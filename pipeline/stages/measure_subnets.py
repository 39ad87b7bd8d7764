"""Time subnets of the pool as they are used, and fit what predicts the latency of the others."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import PositiveInt

from pipeline.artifacts.publish import Content
from pipeline.config.evaluation import LatencyConfig
from pipeline.config.front import FrontStage
from pipeline.front.judging import judge_of
from pipeline.front.predictor import PREDICTOR
from pipeline.front.records import record_bytes
from pipeline.front.search import measure_subnets
from pipeline.runner.stage import Stage, stage_main
from pipeline.teacher_pool.pool import load_pool


class Settings(FrontStage):
    """What the stage uses of the config."""

    latency: LatencyConfig
    measured: PositiveInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """All in one process, interleaved."""
    settings = stage.settings
    judge = judge_of(settings, stage.inputs["data"])
    predictor = measure_subnets(
        load_pool(stage.inputs["pool"], judge.around),
        settings.measured,
        judge,
        settings.recalibration,
        settings.proposals,
        settings.latency,
        stage.fresh_folder("onnx"),
        stage.seed,
    )
    return {PREDICTOR: record_bytes(predictor)}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "pool"))
