"""Tables 4, 5 and 7 and Figure 7 of Joint-DetNAS, from evaluated detectors and manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from pipeline.artifacts.manifest import Manifest
from pipeline.artifacts.typed import read_as
from pipeline.report.charts import bars, chart, legend
from pipeline.report.formats import macs_unit
from pipeline.report.inputs import Metrics, Speed
from pipeline.report.stage_times import by_part
from pipeline.report.svg import MUTED, SERIES, Figure
from pipeline.report.tables import Cell, Column, Table

RESULT = "student"
"""The row of the detector that the search gave."""

ALLOCATION = "allocation.json"
"""The file of Figure 7's numbers: by network, `base` and `student`, and stage."""


@dataclass(frozen=True)
class Evaluated:
    """An evaluated detector: accuracy, cost, and speed where it was timed."""

    metrics: Metrics
    speed: Speed | None

    @property
    def seconds(self) -> float | None:
        """Of an image."""
        return self.speed and self.speed.seconds_per_image

    @property
    def images_a_second(self) -> float | None:
        """One at a time."""
        return self.seconds and 1 / self.seconds

    @property
    def backbone_macs(self) -> int:
        """Computation of the backbone alone, at the input size of the metrics."""
        return self.metrics.components["backbone"].macs


def read_evaluated(folder: Path) -> Evaluated:
    """What an evaluation has published.

    Raises:
        ArtifactError: a file is missing or is not in its format.
    """
    metrics = read_as(folder / "metrics.json", Metrics)
    return Evaluated(metrics, read_as(folder / "speed.json", Speed))


def upgrade_table(
    detectors: Mapping[str, Evaluated], name: str = "joint_table4"
) -> tuple[Table, Figure]:
    """Table 4: the base, the base trained for as many epochs as the student, and the student.

    Args:
        detectors: by name, in the order of the rows; changes are against the first, those of
            `<name>.student` against `<name>.base`.
        name: of the table's and the figure's file.
    """
    columns = (
        Column("model", "model"),
        Column("input size", "input_size"),
        Column("params", "params", "scaled"),
        Column("MACs", "macs", "scaled"),
        Column("MACs against the base, %", "macs_change", "percent"),
        Column("per image", "seconds_per_image", "seconds"),
        Column("images a second", "images_per_second", "decimal"),
        Column("AP, %", "AP", "percent"),
        Column("AP against the base, points", "AP_change", "percent"),
    )
    first = next(iter(detectors))
    rows: list[list[Cell]] = []
    for model, one in detectors.items():
        further, dot, _ = model.partition(".")
        base = detectors[f"{further}.base" if dot else first]
        metrics = one.metrics
        rows.append(
            [
                model,
                _size(metrics),
                metrics.params,
                metrics.macs,
                metrics.macs / base.metrics.macs - 1,
                one.seconds,
                one.images_a_second,
                metrics.AP,
                difference(metrics.AP, base.metrics.AP),
            ]
        )
    title = "The base detector, the same trained for as many epochs, and what the search made of it"
    table = Table(name, columns, rows, title)
    return table, accuracy_and_cost(
        name, title, {model: one.metrics for model, one in detectors.items()}
    )


def accuracy_and_cost(name: str, title: str, detectors: Mapping[str, Metrics]) -> Figure:
    """AP over MACs, a dot for each detector with its name."""
    unit, factor = macs_unit(max(metrics.macs for metrics in detectors.values()))

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for number, (label, metrics) in enumerate(detectors.items()):
            point = (factor * metrics.macs, 100 * (metrics.AP or 0.0))
            axes.plot(*point, "o", color=SERIES[0] if label == RESULT else MUTED, ms=7)
            # names of detectors with the same cost must not cover each other
            above = 6 if number % 2 == 0 else -13
            axes.annotate(label, point, (0, above), textcoords="offset points", ha="center")
        axes.set(xlabel=unit, ylabel="AP, %")
        axes.margins(0.25)

    return chart(name, f"{title}: AP over computation", paint, (4.6, 3.2))


@dataclass(frozen=True)
class Pipeline:
    """A row of Table 5: what it starts from (None: the search starts from the base), and its end."""

    start: Evaluated | None
    end: Evaluated


def pipeline_table(pipelines: Mapping[str, Pipeline]) -> tuple[Table, Figure]:
    """Table 5: pipelines that prune and then distil, against the joint search.

    Args:
        pipelines: by name, in the order of the rows.
    """
    columns = (
        Column("method", "method"),
        Column("start: backbone MACs", "start_backbone_macs", "scaled"),
        Column("start: AP, %", "start_AP", "percent"),
        Column("end: backbone MACs", "backbone_macs", "scaled"),
        Column("end: MACs", "macs", "scaled"),
        Column("end: AP, %", "AP", "percent"),
        Column("gain in AP, points", "AP_change", "percent"),
    )
    rows: list[list[Cell]] = []
    for name, one in pipelines.items():
        start, end = one.start, one.end
        rows.append(
            [
                name,
                start and start.backbone_macs,
                start and start.metrics.AP,
                end.backbone_macs,
                end.metrics.macs,
                end.metrics.AP,
                difference(end.metrics.AP, start.metrics.AP) if start else None,
            ]
        )
    title = "Joint search against pipelines that prune, then distil"
    table = Table("joint_table5", columns, rows, title)
    scores = {name: 100 * (one.end.metrics.AP or 0.0) for name, one in pipelines.items()}
    figure = bars(
        "joint_table5", f"{title}: AP in percent", scores, "AP, %", highlighted=("joint_detnas",)
    )
    return table, figure


def further_training_table(
    name: str, detectors: Mapping[str, Evaluated], epochs: Mapping[str, int | None]
) -> tuple[Table, Figure]:
    """Table 6: COCO's numbers and speed of the base, the student, and the student trained further.

    Args:
        name: of the table's and the figure's file.
        detectors: by name, in the order of the rows.
        epochs: that each was trained after the search; None where there was none.
    """
    kinds = ("AP", "AP50", "AP75", "APS", "APM", "APL")
    columns = (
        Column("model", "model"),
        Column("epochs after the search", "epochs", "count"),
        *(Column(f"{kind}, %", kind, "percent") for kind in kinds),
        Column("MACs", "macs", "scaled"),
        Column("images a second", "images_per_second", "decimal"),
    )
    rows: list[list[Cell]] = [
        [
            model,
            epochs[model],
            *(getattr(one.metrics, kind) for kind in kinds),
            one.metrics.macs,
            one.images_a_second,
        ]
        for model, one in detectors.items()
    ]
    title = "The base, the student, and the student with further parts and epochs"
    metrics = {model: one.metrics for model, one in detectors.items()}
    return Table(name, columns, rows, title), accuracy_and_cost(name, title, metrics)


COST_PARTS = {
    "base detector": ("joint_detnas/base",),
    "teacher pool": ("joint_detnas/teacher_pool",),
    "search": ("joint_detnas/hill_climb",),
    "random search": ("joint_detnas/random",),
    "student": ("joint_detnas/student",),
    "data": ("data",),
}
"""The parts of Table 7 by the folders of their artifacts; what is in none of them is `other`."""


@dataclass(frozen=True)
class Spent:
    """What a part of the search took: its jobs, their time, and GPU time."""

    jobs: int
    wall_seconds: float
    gpu_hours: float


def cost_by_part(manifests: Mapping[str, Manifest]) -> dict[str, Spent]:
    """Time by part of the search.

    Args:
        manifests: by folder, relative to the run's, all that the student descends from.
    """
    return {
        part: Spent(
            len(found),
            sum(manifest.wall_seconds for manifest in found),
            sum(manifest.gpu_hours for manifest in found),
        )
        for part, found in by_part(manifests, COST_PARTS).items()
    }


@dataclass(frozen=True)
class SearchCost:
    """A search and its result.

    Attributes:
        manifests: as in `cost_by_part`.
        architectures: candidates that were trained and scored.
        result: of the student.
    """

    manifests: Mapping[str, Manifest]
    architectures: int
    result: Metrics


def search_cost_table(search: SearchCost, random: SearchCost) -> tuple[Table, Figure]:
    """Table 7: what the search cost, part by part, and a random one in its place (the last row)."""
    manifests, architectures, result = search.manifests, search.architectures, search.result
    columns = (
        Column("part", "part"),
        Column("jobs", "jobs", "count"),
        Column("architectures", "architectures", "count"),
        Column("wall hours", "wall_hours", "decimal"),
        Column("GPU-days", "gpu_days", "decimal"),
        Column("MACs", "macs", "scaled"),
        Column("AP, %", "AP", "percent"),
    )
    parts = cost_by_part(manifests)
    rows: list[list[Cell]] = [
        [
            part,
            spent.jobs,
            architectures if part == "search" else None,
            spent.wall_seconds / 3600,
            spent.gpu_hours / 24,
            None,
            None,
        ]
        for part, spent in parts.items()
    ]
    rows.append(
        [
            "total",
            sum(spent.jobs for spent in parts.values()),
            architectures,
            sum(spent.wall_seconds for spent in parts.values()) / 3600,
            sum(spent.gpu_hours for spent in parts.values()) / 24,
            result.macs,
            result.AP,
        ]
    )
    instead = cost_by_part(random.manifests).get("random search", Spent(0, 0.0, 0.0))
    rows.append(
        [
            "random search in place of the search",
            instead.jobs,
            random.architectures,
            instead.wall_seconds / 3600,
            instead.gpu_hours / 24,
            random.result.macs,
            random.result.AP,
        ]
    )
    title = "What the search cost, from the manifests"
    table = Table("joint_table7", columns, rows, title)
    on_gpus = any(spent.gpu_hours for spent in parts.values())
    values = {
        part: spent.gpu_hours / 24 if on_gpus else spent.wall_seconds / 3600
        for part, spent in parts.items()
    }
    unit = "GPU-days" if on_gpus else "wall hours"
    figure = bars(
        "joint_table7", f"{title}: {unit}", values, unit, highlighted=("search",), form=".3g"
    )
    return table, figure


@dataclass(frozen=True)
class StageCost:
    """Blocks and multiply-accumulates of one stage of a backbone; the stem has no blocks."""

    blocks: int
    macs: int


def allocation_study(
    base: Mapping[str, StageCost],
    student: Mapping[str, StageCost],
    name: str = "joint_figure7",
) -> tuple[Table, Figure]:
    """Figure 7: computation of each stage of the backbone before and after the search.

    Args:
        base: by stage, in the order in which data flows.
        student: the same stages of the student, at the same input size.
        name: of the table's and the figure's file.
    """
    columns = (
        Column("stage", "stage"),
        Column("blocks, base", "base_blocks", "count"),
        Column("blocks, student", "student_blocks", "count"),
        Column("MACs, base", "base_macs", "scaled"),
        Column("MACs, student", "student_macs", "scaled"),
        Column("change, %", "change", "percent"),
    )
    rows = [_allocation_row(stage, before, student[stage]) for stage, before in base.items()]
    rows.append(_allocation_row("total", _sum(base), _sum(student)))
    title = "Computation of each stage of the backbone, before and after the search"
    table = Table(name, columns, rows, title, total=True)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid(visible=False, axis="x")
        largest = max(one.macs for one in (*base.values(), *student.values()))
        unit, factor = macs_unit(largest)
        for shift, label, costs, colour in (
            (-0.2, "base", base, MUTED),
            (0.2, "student", student, SERIES[0]),
        ):
            heights = [factor * costs[stage].macs for stage in base]
            places = [position + shift for position in range(len(base))]
            axes.bar(places, heights, 0.38, color=colour, label=label)
        axes.set_xticks(range(len(base)), list(base))
        axes.set_ylabel(unit)
        axes.tick_params(axis="x", length=0)
        legend(canvas, axes)

    return table, chart(name, title, paint, (0.9 + 0.75 * len(base), 2.9))


def _allocation_row(stage: str, before: StageCost, after: StageCost) -> list[Cell]:
    change = after.macs / before.macs - 1
    return [stage, before.blocks, after.blocks, before.macs, after.macs, change]


def _sum(costs: Mapping[str, StageCost]) -> StageCost:
    values: Sequence[StageCost] = [*costs.values()]
    return StageCost(sum(one.blocks for one in values), sum(one.macs for one in values))


def _size(metrics: Metrics) -> str:
    height, width = metrics.input_size
    return f"{height}x{width}"


def difference(value: float | None, before: float | None) -> float | None:
    """What one AP is above another; None where one is not defined."""
    return None if value is None or before is None else value - before
