"""Evaluate one candidate of the hill climbing (Joint-DetNAS, Algorithm 1, sections 3.1.4 and 3.3).

It inherits its parent's weights, is trained a few epochs with its teacher out of the pool, and is validated
at every resolution. Once the search has converged there is nothing to do. A control is the parent trained as
long without a change: of it the evaluation is published, not the weights.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from pydantic import NonNegativeInt

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.detector import DetectorSections
from pipeline.config.distillation import StudentTrainingConfig
from pipeline.config.hill_climb import Scoring
from pipeline.config.supernet import CostSetting
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.hill_climb.controls import control_of, is_first_child
from pipeline.hill_climb.parents import TEACHER
from pipeline.hill_climb.proposals import candidate_seed
from pipeline.hill_climb.records import (
    EVALUATION,
    Base,
    Name,
    load_proposals,
    load_ranking,
    record_bytes,
)
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.teacher_pool.space import load_space

log = logging.getLogger("detsearch")


class Settings(DetectorSections):
    """What the stage uses of the config, which candidate it is, or the control of which."""

    training: StudentTrainingConfig
    scoring: Scoring
    recalibration: Recalibration
    proposals: CostSetting
    generation: NonNegativeInt
    candidate: NonNegativeInt
    control: bool = False


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Inherit, train, validate, score; publish a detector folder with the evaluation."""
    settings, inputs = stage.settings, stage.inputs
    name = Name(generation=settings.generation, candidate=settings.candidate)
    wave = {one.name: one for one in load_proposals(inputs["proposed"])}
    if not wave or (settings.control and not is_first_child(name, wave.values())):
        why = "its parent has a control" if wave else "the search has converged"
        log.info("%s: %s, there is nothing to do", name.folder, why)
        return {WEIGHTS: lambda path: save_weights(path, {})}

    # mmdet takes seconds to import, which a generation after the last one need not spend
    from pipeline.detection.builder import Surroundings
    from pipeline.detection.detector_folder import detector_files
    from pipeline.detection.recalibration import batch_statistics
    from pipeline.front.predictor import PREDICTOR, Predictor
    from pipeline.hill_climb.candidate import (
        candidate_training,
        cost_of,
        evaluation,
        load_start,
        teacher_from,
    )

    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    index = DatasetIndex.load(inputs["data"] / FILE_NAME)
    proposal, seed = wave[name], candidate_seed(stage.seed, name)
    ranking = inputs.get("ranking")
    if settings.control:
        former = load_ranking(ranking) if ranking else None
        proposal = control_of(proposal, former, load_space(inputs["pool"]).largest)
    start = load_start(proposal, inputs["base"], ranking)
    counted = inputs.get("predictor")
    predictor = read_as(counted / PREDICTOR, Predictor) if counted else None
    cost, cost_of_base = (
        cost_of(network, settings.proposals, predictor)
        for network in (start.architecture, start.base)
    )
    base = Base(cost=cost_of_base.counted, resolution=settings.detector.image_scale)
    teacher = teacher_from(
        inputs["pool"],
        proposal,
        around,
        index,
        settings.recalibration,
        stage.device,
        teaches_at=settings.training.resolutions,
        statistics=start.statistics,
    )
    task = candidate_training(start, teacher, settings.training, around, index, seed, stage.device)
    own = replace(stage, seed=seed)
    history = run_training(own, task, name.folder, settings.training.log_interval)
    metrics = task.metrics

    result = evaluation(
        proposal,
        start.architecture,
        metrics,
        cost,
        base,
        settings.scoring,
        start.epochs + settings.training.epochs,
    )
    shared = {EVALUATION: record_bytes(result), "history.json": history_bytes(history)}
    if settings.control:
        return {**shared, WEIGHTS: lambda path: save_weights(path, {})}
    files = detector_files(
        start.architecture,
        task.student.state_dict(),
        around,
        index.classes,
        {"format": 1, "resolutions": metrics},
        result.best.resolution,
    )
    statistics = batch_statistics(teacher)
    return {**files, **shared, TEACHER: lambda path: save_weights(path, statistics)}


if __name__ == "__main__":
    stage_main(
        run,
        Settings,
        inputs=("data", "base", "pool", "proposed"),
        optional_inputs=("ranking", "predictor"),
    )
