"""Section: the front of the teacher pool's subnets, and the detectors beside it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from pipeline.artifacts.typed import read_as
from pipeline.config.evaluation import ReportConfig
from pipeline.console import counted
from pipeline.front.table import FRONT as FILE
from pipeline.front.table import Front, Row, unsteady
from pipeline.report.formats import few, percent
from pipeline.report.inputs import SPLIT_NAMES, Run
from pipeline.report.scatter import (
    STOCK,
    STOCK_DOMINATED,
    SUBNET,
    SUBNET_DOMINATED,
    TIME,
    Kind,
    Point,
    scatter,
)
from pipeline.report.section import Part, Section, paragraph
from pipeline.report.tables import NAMES_PARTED, Column, Table

FRONT = "front"
"""The folder of the front, from the run's."""
QUARTILES = ("lower_quartile", "upper_quartile")


def front_section(run: Run, settings: ReportConfig) -> Section:
    """What the search found in words, accuracy over latency or MACs, and the table."""
    front = read_as(run.path / FRONT / FILE, Front)
    parts: list[Part] = [paragraph("{}", " ".join(_sentences(front)))]
    points = [
        Point(
            row.name,
            _kind(row),
            row.cost / 1e3 if front.latencies else row.cost,
            _accuracy(row),
            _note(row),
        )
        for row in front.rows
        if row.cost is not None
    ]
    if len(points) > 1:
        cost = TIME if front.latencies else None
        over = "latency" if front.latencies else "computation"
        parts += scatter("front", f"Accuracy over {over} of the front", points, cost)
    return Section("front", "Front", (*parts, _table(front)))


def _accuracy(row: Row) -> float:
    """AP on the split on which detectors of different origin are compared."""
    return (row.test or row.val).ap


def _kind(row: Row) -> Kind:
    if row.kind == "stock":
        return STOCK_DOMINATED if row.dominated_by else STOCK
    return SUBNET_DOMINATED if row.dominated_by else SUBNET


def _note(row: Row) -> str:
    return f", dominated by {few(row.dominated_by)}" if row.dominated_by else ""


def _sentences(front: Front) -> list[str]:
    subnets = [row for row in front.rows if row.kind == "subnet"]
    stock = {row.name for row in front.rows if row.kind == "stock"}
    best = max(subnets, key=lambda row: row.val.ap)
    evaluated = counted(front.evaluated, "subnet")
    told = [
        f"{evaluated} of the teacher pool evaluated, {len(subnets)} of them in the front. The best on "
        f"the validation images has an AP of {percent(_accuracy(best))} % on the "
        f"{SPLIT_NAMES[front.split]} images.",
    ]
    beaten = sum(not stock.isdisjoint(row.dominated_by) for row in subnets)
    if stock:
        told.append(
            "Dominated by a network that was trained alone, at no more cost and with no less AP: "
            f"{beaten} of {len(subnets)}."
        )
    if record := front.latencies:
        told.append(
            f"Latency: median and quartiles of an image, from pixels to boxes, by {record.runtime} on "
            f"{record.device} with {counted(record.threads, 'thread')}, all in turn."
        )
    if warning := unsteady(front):
        told.append(f"{warning[0].upper()}{warning[1:]}.")
    if front.predictor_error is not None:
        told.append(
            f"The search took predicted latencies: on held-out subnets half of them are off by less than "
            f"{percent(front.predictor_error)} %{_of_the_front(subnets)}."
        )
    if front.split == "test":
        told.append(
            "Which subnets are on the front was decided on the validation images, as the search did; with "
            "networks trained alone they are compared on test."
        )
    return told


def _of_the_front(subnets: Sequence[Row]) -> str:
    """How far the predictions of the front's own subnets are from what was measured of them, as a clause."""
    off = [
        abs(row.predicted / row.latency.median - 1)
        for row in subnets
        if row.predicted and row.latency
    ]
    return f", on the front's own by {percent(median(off))} %" if off else ""


def _table(front: Front) -> Table:
    timed = front.latencies is not None
    columns = (
        Column("detector", "name"),
        Column("resolution", "resolution"),
        Column("AP, %", "AP", "percent", bar=True),
        Column("AP50, %", "AP50", "percent"),
        *((Column("AP val, %", "ap_val", "percent"),) if front.split == "test" else ()),
        Column("params", "params", "scaled"),
        Column("MACs", "macs", "scaled"),
        *(
            (
                Column("per image", "seconds_per_image", "seconds", spread=QUARTILES),
                *(Column(key, key, "seconds") for key in QUARTILES),
            )
            if timed
            else ()
        ),
        Column("dominated by", "dominated_by", "names"),
    )
    rows = []
    for row in front.rows:
        shown, latency = row.test or row.val, row.latency
        times = (latency.median, latency.lower_quartile, latency.upper_quartile) if latency else ()
        rows.append(
            (
                row.name,
                " × ".join(map(str, row.resolution)),
                shown.ap,
                shown.ap50,
                *((row.val.ap,) if front.split == "test" else ()),
                row.params,
                row.macs,
                *((each / 1e3 for each in times) if latency else [None] * (3 * timed)),
                NAMES_PARTED.join(row.dominated_by),
            )
        )
    return Table("front", columns, rows, f"On the {SPLIT_NAMES[front.split]} images")
