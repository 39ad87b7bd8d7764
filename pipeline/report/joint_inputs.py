"""What the report reads of Joint-DetNAS in a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pipeline.artifacts.typed import read_as
from pipeline.hill_climb.descent import DESCENT, Descent
from pipeline.report.inputs import Metrics, Run
from pipeline.report.joint_tables import ALLOCATION, Evaluated, StageCost

BASE = "joint_detnas/base/evaluation"
BASE_LONGER = "joint_detnas/base_longer/evaluation"
STUDENT = "joint_detnas/student/evaluation"
SEARCH_TREE = "joint_detnas/hill_climb/descent"
STAGES = "figures/joint_figure7"
RANDOM_TREE = "joint_detnas/random/descent"
RANDOM_STUDENT = "joint_detnas/random/student/evaluation"


@dataclass(frozen=True)
class JointRun:
    """Joint-DetNAS in a run's folder; every property reads its file once, when it is asked for.

    Properties raise `ArtifactError` when a file is missing or is not in its format.
    """

    run: Run

    @cached_property
    def detectors(self) -> Mapping[str, Evaluated]:
        """The base, the base trained longer, and the student."""
        folders = {"base": BASE, "base_longer": BASE_LONGER, "student": STUDENT}
        return {name: self._evaluated(folder) for name, folder in folders.items()}

    def _evaluated(self, folder: str) -> Evaluated:
        metrics = read_as(self.run.path / folder / "metrics.json", Metrics)
        return Evaluated(metrics, self.run.speed(folder))

    @cached_property
    def descent(self) -> Descent:
        """All candidates of the search."""
        return Descent.load(self.run.path / SEARCH_TREE / DESCENT)

    @cached_property
    def random(self) -> tuple[Descent, Evaluated]:
        """All candidates of the random search, and the evaluation of the best."""
        descent = Descent.load(self.run.path / RANDOM_TREE / DESCENT)
        return descent, self._evaluated(RANDOM_STUDENT)

    @cached_property
    def allocation(self) -> tuple[Mapping[str, StageCost], Mapping[str, StageCost]]:
        """Cost of each stage of the base's backbone and of the student's."""
        content = read_as(self.run.path / STAGES / ALLOCATION, _Allocation)
        return content.base, content.student


@dataclass(frozen=True)
class _Allocation:
    format: int
    base: dict[str, StageCost]
    student: dict[str, StageCost]
