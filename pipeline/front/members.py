"""The front and what stands beside it: judged on all images, timed together, put into one table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.config.teacher_pool import Recalibration
from pipeline.deploy.latency import Latencies
from pipeline.detection.detector_folder import detector_resolution, load_detector
from pipeline.detection.evaluation import Detection, coco_metrics
from pipeline.detection.recalibration import batch_statistics
from pipeline.front.clocking import Clock, Loaded
from pipeline.front.judging import Judge, complexity_at
from pipeline.front.records import Evaluated, points
from pipeline.front.selection import non_dominated
from pipeline.front.table import GROUPS, Accuracy, Row
from pipeline.search_space.architecture import Architecture
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.pool import teacher_of

log = logging.getLogger("detsearch")


def front_of(evaluated: Sequence[Evaluated]) -> list[Evaluated]:
    """Those that none of all dominates, by rising cost."""
    return [evaluated[position] for position in non_dominated(points(evaluated))]


@dataclass
class Gathering:
    """Detectors on their way into the table, each judged once, however often the stage is killed.

    What is measured of a detector on val and test is kept in the work folder; no time is.

    Attributes:
        judge: the data.
        proposals: at which the cost of a head is counted.
        clock: where they are timed; `None` where nothing is.
        device: where they are judged.
        work: where rows and statistics are kept.
        rows: of the table, so far.
        statistics: batch statistics of the subnets, by `<name>/<tensor>`.
    """

    judge: Judge
    proposals: int
    clock: Clock | None
    device: torch.device
    work: WorkFolder
    rows: list[Row] = field(default_factory=list[Row])
    statistics: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    _judged: dict[str, Row] = field(init=False)

    def __post_init__(self) -> None:
        """Take back what a process that was killed had judged."""
        checkpoint = self.work.load_latest()
        state = checkpoint.state if checkpoint else {"rows": [], "statistics": {}}
        self.statistics = state["statistics"]
        self._judged = {row.name: row for row in map(Row.model_validate, state["rows"])}
        if self._judged:
            log.info("%d detectors were judged before: not again", len(self._judged))

    def add_subnets(
        self, pool: ElasticDetector, members: Sequence[Evaluated], recalibration: Recalibration
    ) -> None:
        """Subnets of the pool, as the search evaluated them.

        Raises:
            ExportError: one cannot be exported.
        """
        for number, member in enumerate(members):
            name = f"subnet_{number}"
            model, alone = teacher_of(
                pool,
                member.subnet,
                self.judge.around,
                self.judge.index,
                recalibration,
                self.device,
                statistics=statistics_of(name, self.statistics) or None,
            )
            for tensor, value in batch_statistics(model).items():
                self.statistics[f"{name}/{tensor}"] = value.cpu().clone()
            given = {"subnet": member.subnet, "predicted": member.milliseconds}
            one = Loaded(name, model, member.subnet.resolution)
            self._add(one, alone.architecture, "subnet", given)
            if self.clock:
                self.clock.add(one)

    def add_stock(self, folders: Mapping[str, Path], run: Path) -> None:
        """Detectors that were trained on their own, by name; each is used at its own resolution."""
        judge = self.judge
        for name, folder in folders.items():
            resolution = detector_resolution(folder) or judge.around.detector.image_scale
            model, architecture, _ = load_detector(folder, judge.around, self.device)
            one = Loaded(name, model, resolution)
            self._add(one, architecture, "stock", {"detector": str(folder.relative_to(run))})
            # after it was judged, which takes it to another device than the one of its times
            if self.clock and (reason := self.clock.add_where_possible(one)):
                self.rows[-1] = self.rows[-1].model_copy(update={"not_timed": reason})

    def _add(
        self, one: Loaded, architecture: Architecture, kind: str, given: dict[str, Any]
    ) -> None:
        if one.name in self._judged:
            self.rows.append(self._judged[one.name])
            return
        row = self._row(one, architecture, kind, given)
        log.info("%s: AP %.4f on val", one.name, row.val.ap)
        self.rows.append(row)
        rows = [each.model_dump(mode="json") for each in self.rows]
        self.work.save({"rows": rows, "statistics": self.statistics}, len(rows))

    def _row(
        self, one: Loaded, architecture: Architecture, kind: str, given: dict[str, Any]
    ) -> Row:
        judge = self.judge
        model = one.model.to(self.device)
        detections, ids = judge.detections(model, "val", one.resolution)
        numbers = judge.metrics("val", detections)
        test = None
        if judge.index.evaluation_split == "test":
            found, _ = judge.detections(model, "test", one.resolution)
            test = _accuracy(judge.metrics("test", found))
        cost = complexity_at(architecture, one.resolution, self.proposals).total
        return Row(
            name=one.name,
            kind=kind,  # type: ignore[arg-type]
            resolution=one.resolution,
            val=_accuracy(numbers),
            test=test,
            val_without=without_groups(judge, detections, ids),
            params=cost.params,
            macs=cost.macs,
            **given,
        )

    def time(self) -> Latencies | None:
        """Time all together, and note in each row what it takes; returns the record."""
        if self.clock is None:
            return None
        record = self.clock.time(self.judge.index)
        times = {each.model: each for each in record.models}
        self.rows = [row.model_copy(update={"latency": times.get(row.name)}) for row in self.rows]
        return record


def statistics_of(name: str, measured: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The batch statistics of one subnet, out of those of all (`Gathering.statistics`)."""
    own = f"{name}/"
    return {key.removeprefix(own): value for key, value in measured.items() if key.startswith(own)}


def without_groups(
    judge: Judge, detections: Sequence[Detection], ids: Sequence[int]
) -> tuple[float, ...]:
    """AP on val without each of some parts of its images; image k is in part k modulo their number.

    Empty where a part holds all objects: then there is no such AP.
    """
    groups = min(GROUPS, len(ids))
    annotations = judge.index.split("val").annotations
    found: list[float] = []
    for group in range(groups):
        kept = [image for number, image in enumerate(ids) if number % groups != group]
        ap = coco_metrics(annotations, detections, kept)["AP"] if kept else None
        if ap is None:
            return ()
        found.append(ap)
    return tuple(found)


def _accuracy(numbers: Mapping[str, Any]) -> Accuracy:
    return Accuracy(ap=numbers["AP"], ap50=numbers["AP50"])
