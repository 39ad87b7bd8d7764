"""Search the paths of a trained supernet by their one-shot scores: by evolution, or at random."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import PositiveInt

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS
from pipeline.config.detector import DetectorSections
from pipeline.config.hit_detector import PathSearchConfig
from pipeline.config.supernet import CostSetting
from pipeline.detection.builder import Surroundings
from pipeline.hit_detector.budget import path_space
from pipeline.hit_detector.one_shot import load_scorer
from pipeline.hit_detector.path_search import PathSearch, path_scores, paths_record
from pipeline.hit_detector.spaces import SUPERNET
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import Architecture


class Settings(DetectorSections):
    """What the stage uses of the config."""

    search: PathSearchConfig
    proposals: CostSetting
    batch_size: PositiveInt
    log_interval: PositiveInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Score path after path; publish what a differentiable search does, and all scored paths."""
    settings, search, folder = stage.settings, stage.settings.search, stage.inputs["supernet"]
    space = path_space(Architecture.load(folder / SUPERNET), settings.proposals, search.max_gmacs)
    scorer = load_scorer(
        folder,
        stage.inputs["data"],
        Surroundings(settings.detector, settings.testing, settings.normalization),
        by=search.one_shot,
        images=search.one_shot_images,
        recalibration_batches=search.recalibration_batches,
        batch_size=settings.batch_size,
        seed=stage.seed,
        device=stage.device,
    )
    task = PathSearch(space, scorer.score, search, stage.seed)
    history = run_training(stage, task, search.strategy, settings.log_interval)

    def copy_weights(path: Path) -> None:
        shutil.copyfile(folder / WEIGHTS, path)

    return {
        "scores.json": json_bytes(path_scores(task)),
        "paths.json": json_bytes(paths_record(task)),
        SUPERNET: json_bytes(space.supernet.model_dump(mode="json")),
        WEIGHTS: copy_weights,
        "history.json": history_bytes(history),
    }


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "supernet"))
