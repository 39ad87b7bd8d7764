"""Take the front of all evaluated subnets: judge and time it with the detectors beside it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.artifacts.weights import save_weights
from pipeline.config.evaluation import LatencyConfig
from pipeline.config.front import FrontStage, Licences
from pipeline.front.clocking import Clock
from pipeline.front.judging import judge_of
from pipeline.front.members import Gathering, front_of
from pipeline.front.predictor import PREDICTOR, Predictor
from pipeline.front.records import GENERATION, Generation, record_bytes
from pipeline.front.table import FRONT, STATISTICS, TABLE, Front, compared, table_bytes, table_text
from pipeline.runner.stage import Stage, stage_main
from pipeline.teacher_pool.pool import load_pool

log = logging.getLogger("detsearch")


class Settings(FrontStage):
    """What the stage uses of the config."""

    latency: LatencyConfig | None
    licences: Licences


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Subnets and others in one process, timed interleaved."""
    settings, inputs = stage.settings, stage.inputs
    judge = judge_of(settings, inputs["data"])
    evaluated = read_as(inputs["bred"] / GENERATION, Generation).evaluated
    clock = None
    if settings.latency:
        clock = Clock(settings.latency, judge.index.classes, stage.fresh_folder("onnx"))
    gathering = Gathering(judge, settings.proposals, clock, stage.device, stage.work)
    pool = load_pool(inputs["pool"], judge.around, stage.device)
    gathering.add_subnets(pool, front_of(evaluated), settings.recalibration)
    gathering.add_stock(stage.several("stock"), stage.run_folder)
    latencies = gathering.time()
    predictor = inputs.get("predictor")
    front = Front(
        split=judge.index.evaluation_split,
        evaluated=len(evaluated),
        predictor_error=read_as(predictor / PREDICTOR, Predictor).median_error
        if predictor
        else None,
        latencies=latencies,
        licences=settings.licences,
        rows=compared(gathering.rows),
    )
    log.info("of %d subnets:\n%s", len(evaluated), table_text(front))
    return {
        FRONT: record_bytes(front),
        TABLE: table_bytes(front),
        STATISTICS: lambda path: save_weights(path, gathering.statistics),
    }


if __name__ == "__main__":
    stage_main(
        run,
        Settings,
        inputs=("data", "pool", "bred"),
        optional_inputs=("predictor", "stock"),
        several_inputs=("stock",),
    )
