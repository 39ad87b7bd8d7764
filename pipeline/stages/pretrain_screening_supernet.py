"""Pretrain the screening backbone supernet on the classification data, α fixed (section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.detector import Normalization
from pipeline.config.optimization import Classification
from pipeline.config.supernet import SupernetConfig
from pipeline.hit_detector.pretraining import backbone_pretraining, pretrained_files
from pipeline.hit_detector.spaces import screening_architecture
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import run_training
from pipeline.search_space.names import OperationName


class Settings(Section):
    """What the stage uses of the config."""

    supernet: SupernetConfig
    normalization: Normalization
    candidates: tuple[OperationName, ...]
    pretraining: Classification


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Train the supernet of all candidates at half depth."""
    settings = stage.settings
    task = backbone_pretraining(
        screening_architecture(settings.supernet, settings.candidates),
        stage.inputs["data"],
        settings.pretraining,
        settings.normalization,
        seed=stage.seed,
        device=stage.device,
        execution=settings.supernet.execution,
    )
    history = run_training(stage, task, "screening supernet", settings.pretraining.log_interval)
    return pretrained_files(task, history)


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data",))
