"""Joint-DetNAS's Figure 5: backbone parameters of teachers and students throughout a search."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.detection.complexity import stage_costs
from pipeline.hill_climb.descent import DESCENT, Descent
from pipeline.report.joint_search import capacity_study
from pipeline.search_space.architecture import Architecture
from pipeline.stages.base import Stage, stage_main
from pipeline.teacher_pool.space import Subnet, load_space


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Count the backbones on meta tensors, each teacher once."""
    descent = Descent.load(stage.inputs["descent"] / DESCENT)
    space = load_space(stage.inputs["pool"])
    counted: dict[Subnet, int] = {}
    students, teachers = {}, {}
    for name, one in descent.evaluations.items():
        students[name] = _params(one.architecture)
        teacher = one.proposal.teacher
        if teacher not in counted:
            counted[teacher] = _params(space.architecture(teacher))
        teachers[name] = counted[teacher]
    table, figure = capacity_study(descent, students, teachers)
    return {"joint_figure5.csv": table.csv(), "joint_figure5.svg": figure.file()}


def _params(architecture: Architecture) -> int:
    return sum(cost.params for cost in stage_costs(architecture).values())


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("descent", "pool"))
