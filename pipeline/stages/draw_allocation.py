"""Joint-DetNAS's Figure 7: computation of each stage of the backbone before and after the search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.detection.complexity import stage_costs
from pipeline.morphism.shapes import stages_of
from pipeline.report.joint_tables import ALLOCATION, StageCost, allocation_study
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Count both on meta tensors, at the input size of the base."""
    base = Architecture.load(stage.inputs["base"] / ARCHITECTURE)
    student = Architecture.load(stage.inputs["student"] / ARCHITECTURE)
    costs = {
        name: _by_stage(network, base.input_size)
        for name, network in (("base", base), ("student", student))
    }
    table, figure = allocation_study(costs["base"], costs["student"])
    return {
        ALLOCATION: json_bytes({"format": 1, **_plain(costs)}),
        "joint_figure7.csv": table.csv(),
        "joint_figure7.svg": figure.file(),
    }


def _plain(costs: Mapping[str, Mapping[str, StageCost]]) -> dict[str, dict[str, dict[str, int]]]:
    return {
        network: {stage: asdict(cost) for stage, cost in stages.items()}
        for network, stages in costs.items()
    }


def _by_stage(architecture: Architecture, size: tuple[int, int]) -> dict[str, StageCost]:
    blocks = {
        f"stage{number}": len(stage) for number, stage in enumerate(stages_of(architecture), 1)
    }
    return {
        name: StageCost(blocks.get(name, 0), cost.macs)
        for name, cost in stage_costs(architecture, size).items()
    }


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("base", "student"))
