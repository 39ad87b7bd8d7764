"""Take a subnet from the trained pool without training it (Joint-DetNAS, Table 1).

The result is a detector folder like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import NonNegativeInt

from pipeline.artifacts.publish import Content
from pipeline.config.detector import DetectorSections
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings
from pipeline.detection.detector_folder import detector_files
from pipeline.runner.stage import Stage, stage_main
from pipeline.teacher_pool.pool import load_pool, teacher_of
from pipeline.training.seeding import derive_seed


class Settings(DetectorSections):
    """What the stage uses of the config, and the number of the draw."""

    recalibration: Recalibration
    number: NonNegativeInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Draw a subnet by seed and number, recalibrate it at the size of its evaluation, publish it."""
    settings = stage.settings
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    classes = list(index.classes)
    pool = load_pool(stage.inputs["pool"], around, stage.device)
    rng = np.random.default_rng(derive_seed(stage.seed, "sampled subnet", settings.number))
    subnet = pool.space.sample(rng).model_copy(update={"resolution": pool.space.largest.resolution})
    scale = settings.detector.image_scale
    _, alone = teacher_of(
        pool, subnet, around, index, settings.recalibration, stage.device, teaches_at=[scale]
    )
    return detector_files(alone.architecture, alone.weights, around, classes, {})


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "pool"))
