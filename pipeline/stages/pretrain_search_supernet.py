"""Pretrain the search backbone supernet over its sub search space, α fixed (section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.detector import Normalization
from pipeline.config.optimization import Classification
from pipeline.config.supernet import SupernetConfig
from pipeline.hit_detector.pretraining import backbone_pretraining, pretrained_files
from pipeline.hit_detector.spaces import kept_operations, search_architecture
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import run_training


class Settings(Section):
    """What the stage uses of the config."""

    supernet: SupernetConfig
    normalization: Normalization
    pretraining: Classification


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Train the supernet of the backbone's sub search space at full depth."""
    settings = stage.settings
    space = kept_operations(stage.inputs["space"])
    task = backbone_pretraining(
        # the other components are not built: any operations do
        search_architecture(settings.supernet, {"backbone": space, "neck": space, "head": space}),
        stage.inputs["data"],
        settings.pretraining,
        settings.normalization,
        seed=stage.seed,
        device=stage.device,
        execution=settings.supernet.execution,
    )
    history = run_training(stage, task, "search supernet", settings.pretraining.log_interval)
    return pretrained_files(task, history)


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", "space"))
