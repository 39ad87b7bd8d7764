"""Pretrain the derived backbone on the classification data (Hit-Detector, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.detector import Normalization
from pipeline.config.optimization import Classification
from pipeline.hit_detector.pretraining import backbone_pretraining, pretrained_files
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import run_training
from pipeline.search_space.architecture import ARCHITECTURE, Architecture


class Settings(Section):
    """What the stage uses of the config."""

    normalization: Normalization
    pretraining: Classification


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Train the backbone of the derived architecture from scratch."""
    settings = stage.settings
    task = backbone_pretraining(
        Architecture.load(stage.inputs["architecture"] / ARCHITECTURE),
        stage.inputs["data"],
        settings.pretraining,
        settings.normalization,
        seed=stage.seed,
        device=stage.device,
    )
    history = run_training(stage, task, "derived backbone", settings.pretraining.log_interval)
    return pretrained_files(task, history)


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "architecture"))
