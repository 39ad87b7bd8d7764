"""Train one phase of the elastic teacher pool (Joint-DetNAS, section 3.1.3).

Phase 0 trains the largest net, which may begin as the base detector, grown; later ones open depths and
widths together, taught by a fixed copy of phase 0's result. The largest and the smallest net are
evaluated at the largest resolution, with recalibrated batch statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, load_weights
from pipeline.config.distillation import DistillationConfig
from pipeline.config.pretrained import StartingSections
from pipeline.config.teacher_pool import PoolSpace, Recalibration, ShrinkingPhase
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings
from pipeline.detection.evaluation import validate
from pipeline.detection.resolutions import datasets_at
from pipeline.detection.start import start_backbone
from pipeline.errors import DetSearchError
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.teacher_pool.detector import ElasticDetector, subnet_complexity
from pipeline.teacher_pool.pool import extract_teacher, load_pool, pool_files
from pipeline.teacher_pool.shrinking import Shrinking
from pipeline.teacher_pool.space import SubnetSpace

OPTIONAL = ("former", "largest", "backbone", "base")


class Settings(StartingSections):
    """What the stage uses of the config; phase 0 distils nothing."""

    space: PoolSpace
    distillation: DistillationConfig | None
    recalibration: Recalibration
    phase: ShrinkingPhase


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Train the phase, evaluate both ends of the pool, publish it."""
    settings, phase = stage.settings, stage.settings.phase
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    classes = list(index.classes)
    if "former" in stage.inputs:
        teacher = load_pool(stage.inputs["largest"], around, stage.device).model.eval()
        elastic = load_pool(stage.inputs["former"], around, stage.device)
    else:
        teacher = None
        elastic = ElasticDetector(SubnetSpace.whole(settings.space, len(classes)), around)
        if "base" in stage.inputs:
            base = stage.inputs["base"]
            elastic.grow_from(
                Architecture.load(base / ARCHITECTURE), load_weights(base / WEIGHTS)[0]
            )
        start_backbone(elastic.model, stage.inputs.get("backbone"), settings.freezing)
        elastic.model.to(stage.device)
    space = SubnetSpace.of_phase(settings.space, len(classes), phase)
    resolutions = space.choices["resolution"]
    train, validation = index.split("train"), index.split("val")
    largest = [resolutions[-1]]
    (measured,) = datasets_at(largest, train, classes, settings.detector, train=False)
    (judged,) = datasets_at(largest, validation, classes, settings.detector, train=False)
    if len(measured) < settings.recalibration.images:  # said before GPU-days of training, not after
        raise DetSearchError(
            f"teacher_pool.recalibration.images is {settings.recalibration.images}, but there are only"
            f" {len(measured)} training images"
        )
    task = Shrinking(
        elastic,
        teacher,
        space,
        phase,
        settings.distillation or DistillationConfig(),
        datasets_at(resolutions, train, classes, settings.detector, train=True),
        stage.seed,
    )
    history = run_training(stage, task, "shrinking", phase.log_interval)
    if teacher is None:
        # Once, before any width shrinks: the largest net stays the same function, subnets cut from it
        # keep the channels that matter, and channels of later phases stay those of their teacher.
        elastic.set_max_net()
        elastic.sort_channels()

    metrics: dict[str, Any] = {"format": 1}
    smallest = elastic.space.smallest.model_copy(update={"resolution": resolutions[-1]})
    for name, subnet in (("largest", elastic.space.largest), ("smallest", smallest)):
        model, _ = extract_teacher(
            elastic, subnet, around, [measured], settings.recalibration, stage.device
        )
        cost = subnet_complexity(elastic.space, subnet, settings.testing.proposals).total
        metrics[name] = {
            **validate(model, judged, validation.annotations, phase),
            "params": cost.params,
            "macs": cost.macs,
        }
    elastic.set_max_net()
    return {
        **pool_files(elastic),
        "metrics.json": json_bytes(metrics),
        "history.json": history_bytes(history),
    }


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data",), optional_inputs=OPTIONAL)
