"""Search the teacher pool for a detector: the NAS of a pipeline that prunes and distils afterwards.

Joint-DetNAS, Table 5: subnets are drawn at random and evaluated on the validation split without any
training, with recalibrated batch statistics; the one with the highest H is published.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import PositiveInt

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.detector import DetectorSections
from pipeline.config.hill_climb import Scoring
from pipeline.config.supernet import CostSetting
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings
from pipeline.detection.detector_folder import detector_files
from pipeline.detection.evaluation import coco_metrics, detect
from pipeline.detection.resolutions import datasets_at
from pipeline.front.predictor import PREDICTOR, Predictor
from pipeline.hill_climb.candidate import cost_of
from pipeline.hill_climb.records import Base
from pipeline.hill_climb.scoring import scores_of
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.teacher_pool.pool import load_pool, teacher_of
from pipeline.training.seeding import derive_seed

log = logging.getLogger("detsearch")


class Settings(DetectorSections):
    """What the stage uses of the config, and how many subnets it draws."""

    scoring: Scoring
    recalibration: Recalibration
    proposals: CostSetting
    draws: PositiveInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Draw by seed and number, all at `detector.image_scale`; costs are counted at the base's input size."""
    settings = stage.settings
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    first = Architecture.load(stage.inputs["base"] / ARCHITECTURE)
    scale = settings.detector.image_scale
    counted = stage.inputs.get("predictor")
    predictor = read_as(counted / PREDICTOR, Predictor) if counted else None
    base = Base(cost=cost_of(first, settings.proposals, predictor).counted, resolution=scale)
    pool = load_pool(stage.inputs["pool"], around, stage.device)
    val, classes = index.split("val"), list(index.classes)
    (images,) = datasets_at([scale], val, classes, settings.detector, train=False)
    drawn: list[dict[str, Any]] = []
    best, found = -1.0, {}
    for number in range(settings.draws):
        rng = np.random.default_rng(derive_seed(stage.seed, "searched subnet", number))
        subnet = pool.space.sample(rng).model_copy(
            update={"resolution": pool.space.largest.resolution}
        )
        model, alone = teacher_of(
            pool, subnet, around, index, settings.recalibration, stage.device, teaches_at=[scale]
        )
        architecture = alone.architecture.model_copy(update={"input_size": first.input_size})
        numbers = {
            "resolution": list(scale),
            **coco_metrics(
                val.annotations, detect(model, images, settings.recalibration.batch_size)
            ),
        }
        cost = cost_of(architecture, settings.proposals, predictor)
        (score,) = scores_of([numbers], cost.counted, base, settings.scoring)
        log.info("subnet %d of %d: H %.4f", number + 1, settings.draws, score.score)
        drawn.append(
            {"subnet": subnet.model_dump(mode="json"), "macs": cost.macs, "H": score.score}
        )
        if score.score > best:
            best, found = score.score, {"architecture": architecture, "weights": alone.weights}
    metrics = {"format": 1, "drawn": drawn}
    return detector_files(**found, around=around, classes=classes, metrics=metrics)


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "base", "pool"), optional_inputs=("predictor",))
