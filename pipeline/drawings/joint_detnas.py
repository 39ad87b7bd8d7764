"""Joint-DetNAS's tables and figures: docs/methods/analyses.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pydantic import PositiveInt

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import json_bytes, read_json
from pipeline.artifacts.lineage import base_folder, descended_from
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.config.base import NoSettings, Section
from pipeline.config.distillation import Resolution
from pipeline.config.hill_climb import Scoring
from pipeline.detection.complexity import stage_costs
from pipeline.detection.detector_folder import ARCHITECTURE, METRICS
from pipeline.drawings.detector_tables import DETECTORS
from pipeline.drawings.drawing import Drawing, Drawn, Given
from pipeline.hill_climb.descent import DESCENT, Descent, base_score
from pipeline.morphism.shapes import stages_of
from pipeline.report.inputs import Metrics, read_as
from pipeline.report.joint_controls import CONTROLS, control_comparison
from pipeline.report.joint_search import Capacity, capacity_study, gain_study, teacher_comparison
from pipeline.report.joint_tables import (
    ALLOCATION,
    Pipeline,
    SearchCost,
    StageCost,
    allocation_study,
    further_training_table,
    pipeline_table,
    read_evaluated,
    search_cost_table,
    upgrade_table,
)
from pipeline.search_space.architecture import Architecture
from pipeline.teacher_pool.space import Subnet, load_space

FIRST = "first base"
"""How figures of several bases call that of `base_detector`; no further one can have a name with a space."""


class Gains(Section):
    """The settings of Figure 6: R_base, α, β and the target."""

    scoring: Scoring
    resolution: Resolution


class Further(Section):
    """The settings of Table 6: epochs after the search."""

    epochs: PositiveInt


def table4(given: Given[NoSettings]) -> Drawn:
    """The base, the base trained longer, and the search's result: metrics and speed."""
    detectors = {name: read_evaluated(at) for name, at in given.several["detectors"].items()}
    return Drawn(*upgrade_table(detectors))


def table5(given: Given[NoSettings]) -> Drawn:
    """Pipelines that prune and then distil, and the joint search: all ends, and the starts there are."""
    starts = given.several["starts"]
    pipelines = {
        name: Pipeline(
            read_evaluated(starts[name]) if name in starts else None, read_evaluated(folder)
        )
        for name, folder in given.several["ends"].items()
    }
    return Drawn(*pipeline_table(pipelines))


def table6(given: Given[Further]) -> Drawn:
    """Baselines, the base, the student, and the student trained further."""
    detectors = {name: read_evaluated(at) for name, at in given.several["detectors"].items()}
    searched = {"student": 0, "upgrade": given.settings.epochs}
    epochs = {name: searched.get(name) for name in detectors}
    return Drawn(*further_training_table(given.name, detectors, epochs))


def table7(given: Given[NoSettings]) -> Drawn:
    """What the search cost, and a random one, from the manifests of all that the students descend from."""
    searches = {
        name: SearchCost(
            _descended(given.several["students"][name]),
            len(descent.evaluations),
            read_as(given.several["students"][name] / METRICS, Metrics),
        )
        for name, descent in _searches(given).items()
    }
    return Drawn(*search_cost_table(searches["search"], searches["random"]))


def _descended(evaluation: Path) -> Mapping[str, Manifest]:
    run_folder = base_folder(evaluation, Manifest.load(evaluation / MANIFEST))
    if run_folder is None:
        raise ArtifactError(f"{evaluation}: no folder around it holds what it was made from")
    folder = evaluation.absolute().relative_to(run_folder.absolute()).as_posix()
    return descended_from(run_folder, folder)


def figure4(given: Given[NoSettings]) -> Drawn:
    """Searches that differ in their teachers: with changing ones, and with one throughout."""
    return Drawn(*teacher_comparison(given.name, _searches(given)))


def against_control(given: Given[NoSettings]) -> Drawn:
    """The search beside one of the same budget: at random, or with its proposals but no ranking."""
    students = {name: read_evaluated(at) for name, at in given.several["students"].items()}
    return Drawn(*control_comparison(given.name, _searches(given), students))


def figure5(given: Given[NoSettings]) -> Drawn:
    """Backbone parameters of teachers and students, counted on meta tensors, each teacher once."""
    space = load_space(given.one["pool"])
    counted: dict[Subnet, int] = {}
    searches = {}
    trees = {FIRST: given.one["descent"], **given.several.get("further", {})}
    for base, tree in trees.items():
        descent = Descent.load(tree / DESCENT)
        students, teachers = {}, {}
        for name, one in descent.evaluations.items():
            students[name] = _params(one.architecture)
            teacher = one.proposal.teacher
            if teacher not in counted:
                counted[teacher] = _params(space.architecture(teacher))
            teachers[name] = counted[teacher]
        searches[base] = Capacity(descent, students, teachers)
    return Drawn(*capacity_study(searches))


def figure6(given: Given[Gains]) -> Drawn:
    """Each candidate's H beside its parent's; of children of the base beside that of the base."""
    descent = Descent.load(given.one["descent"] / DESCENT)
    settings, validated = given.settings, given.one["base"] / METRICS
    first = None
    # a user's own detector was not validated at the candidates' resolutions
    if validated.exists():
        metrics = read_json(validated)["resolutions"]
        first = base_score(metrics, settings.resolution, settings.scoring)
    return Drawn(*gain_study(descent, first))


def figure7(given: Given[NoSettings]) -> Drawn:
    """Computation of each stage of the backbone before and after, at the input size of the base."""
    base = Architecture.load(given.one["base"] / ARCHITECTURE)
    student = Architecture.load(given.one["student"] / ARCHITECTURE)
    costs = {
        name: _by_stage(network, base.input_size)
        for name, network in (("base", base), ("student", student))
    }
    table, figure = allocation_study(costs["base"], costs["student"])
    plain = {
        network: {stage: asdict(cost) for stage, cost in stages.items()}
        for network, stages in costs.items()
    }
    return Drawn(table, figure, {ALLOCATION: json_bytes({"format": 1, **plain})})


def _searches(given: Given[NoSettings]) -> dict[str, Descent]:
    return {name: Descent.load(at / DESCENT) for name, at in given.several["searches"].items()}


def _params(architecture: Architecture) -> int:
    return sum(cost.params for cost in stage_costs(architecture).values())


def _by_stage(architecture: Architecture, size: tuple[int, int]) -> Mapping[str, StageCost]:
    blocks = {
        f"stage{number}": len(stage) for number, stage in enumerate(stages_of(architecture), 1)
    }
    return {
        name: StageCost(blocks.get(name, 0), cost.macs)
        for name, cost in stage_costs(architecture, size).items()
    }


DRAWINGS = {
    **{f"joint_table{number}": DETECTORS for number in (1, 2, 3)},
    "joint_table4": Drawing(table4, NoSettings),
    "joint_table5": Drawing(table5, NoSettings),
    "joint_table6": Drawing(table6, Further),
    "joint_table7": Drawing(table7, NoSettings),
    **{f"joint_{name}": Drawing(against_control, NoSettings) for name in CONTROLS},
    "joint_figure4": Drawing(figure4, NoSettings),
    "joint_figure4_search": Drawing(figure4, NoSettings),
    "joint_figure5": Drawing(figure5, NoSettings),
    "joint_figure6": Drawing(figure6, Gains),
    "joint_figure7": Drawing(figure7, NoSettings),
}
