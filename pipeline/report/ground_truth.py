"""The ground truth of a search space: architectures, each trained alone, and what they reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure as Canvas

from pipeline.report.charts import chart
from pipeline.report.inputs import Metrics
from pipeline.report.svg import SERIES, Figure
from pipeline.report.tables import Column, Table
from pipeline.search_space.architecture import COMPONENTS, Architecture

COLUMNS = (
    Column("Network", "network", "count"),
    Column("Seed", "seed", "count"),
    Column("MACs", "macs", "scaled"),
    Column("Parameters", "params", "scaled"),
    Column("AP", "AP", "percent"),
    Column("AP50", "AP50", "percent"),
    *(Column(component.capitalize(), component) for component in COMPONENTS),
    Column("Evaluation", "version"),
)


@dataclass(frozen=True)
class Training:
    """A training of an architecture.

    Attributes:
        number: of the architecture.
        architecture: what was trained.
        seed: 0 for the run's seed, 1 for the next.
        metrics: of the evaluation.
        version: of the evaluation's artifact, from which its manifest can be told.
    """

    number: int
    architecture: Architecture
    seed: int
    metrics: Metrics
    version: str


def ground_truth_table(name: str, trainings: Sequence[Training]) -> tuple[Table, Figure]:
    """A row for each training, AP against MACs. A component's operations stand in its layers' order."""
    rows = [
        [
            each.number,
            each.seed,
            each.metrics.macs,
            each.metrics.params,
            each.metrics.AP,
            each.metrics.AP50,
            *(
                " ".join(str(block.operation) for block in each.architecture.blocks(part).values())
                for part in COMPONENTS
            ),
            each.version,
        ]
        for each in trainings
    ]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        found = [(each.metrics.macs, each.metrics.AP, each.seed) for each in trainings]
        for seed, colour in zip(sorted({each.seed for each in trainings}), SERIES, strict=False):
            points = [
                (macs / 1e6, 100 * ap) for macs, ap, of in found if of == seed and ap is not None
            ]
            if points:
                axes.plot(*zip(*points, strict=True), "o", color=colour, ms=5, label=f"seed {seed}")
        axes.set_xlabel("MMACs")
        axes.set_ylabel("AP, %")
        axes.legend()

    title = "Architectures drawn uniformly from the search space, each trained alone"
    return Table(name, COLUMNS, rows), chart(name, title, paint)
