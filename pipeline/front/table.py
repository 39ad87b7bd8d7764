"""The front as a table: its subnets and the detectors beside it, and which of them are dominated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, PositiveInt

from pipeline.artifacts.csv_file import csv_bytes
from pipeline.config.distillation import Resolution
from pipeline.config.front import Licences
from pipeline.console import counted
from pipeline.deploy.latency import Latencies, ModelLatency
from pipeline.front.selection import dominates
from pipeline.search_space.block import Part
from pipeline.teacher_pool.space import Subnet

FRONT, TABLE, STATISTICS = "front.json", "front.csv", "statistics.safetensors"
GROUPS = 20
"""Parts of val, each of which is left out once to see how far AP depends on the images."""


class Accuracy(Part):
    """COCO's AP and AP50 on a split, in [0, 1]."""

    ap: float
    ap50: float


class Row(Part):
    """A detector of the table.

    Attributes:
        name: unique.
        kind: of the pool, or trained on its own.
        subnet: of the pool.
        detector: the folder of one that was trained on its own, from the run's.
        resolution: longest and shortest side at which it is used, pixels.
        val: on all images of val.
        test: on the test split, where there is one.
        val_without: AP on val without each of `GROUPS` parts of its images (fewer where there are fewer
            images): the delete-a-group jackknife.
        params: of the detector.
        macs: of one image that fills the resolution.
        latency: of one image, milliseconds.
        predicted: what the search took for it, milliseconds.
        not_timed: why there is no latency, where others have one.
        dominated_by: names of rows with no less AP at no more cost, and more or less of one.
    """

    name: str
    kind: Literal["subnet", "stock"]
    subnet: Subnet | None = None
    detector: str | None = None
    resolution: Resolution
    val: Accuracy
    test: Accuracy | None
    val_without: tuple[float, ...]
    params: PositiveInt
    macs: PositiveInt
    latency: ModelLatency | None = None
    predicted: float | None = None
    not_timed: str | None = None
    dominated_by: tuple[str, ...] = ()

    @property
    def cost(self) -> float | None:
        """Milliseconds, or MACs where nothing is timed; `None` where this one alone is not."""
        if self.latency:
            return self.latency.median
        return None if self.not_timed else float(self.macs)


class Front(Part):
    """The content of `front.json`.

    Attributes:
        split: on which detectors of different origin are compared: test, where there is one.
        evaluated: how many subnets the search has looked at.
        predictor_error: median relative error of the predicted latency on held-out subnets.
        latencies: the record of the measurement.
        licences: what the config says of them.
        rows: the subnets by rising cost, then the others.
    """

    format: Literal[1] = 1
    split: Literal["val", "test"]
    evaluated: PositiveInt
    predictor_error: float | None = None
    latencies: Latencies | None = None
    licences: Licences = Licences()
    rows: tuple[Row, ...] = Field(min_length=1)

    def find(self, name: str) -> Row:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)


def compared(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows in order, with `dominated_by`.

    Subnets were chosen by their AP on val, which flatters them, but all alike: among each other they are
    compared on val. Every other pair is compared on the test split, where there is one.
    """

    def beats(one: Row, other: Row) -> bool:
        if one.cost is None or other.cost is None:
            return False
        both = one.kind == other.kind == "subnet"
        ap, other_ap = (
            row.val.ap if both or row.test is None else row.test.ap for row in (one, other)
        )
        return dominates(np.array([-ap, one.cost]), np.array([-other_ap, other.cost]))

    ordered = sorted(rows, key=lambda row: (row.kind == "stock", row.cost or 0.0, row.name))
    return tuple(
        row.model_copy(
            update={"dominated_by": tuple(one.name for one in ordered if beats(one, row))}
        )
        for row in ordered
    )


def standard_error(one: Row, other: Row | None = None) -> float | None:
    """Of the AP on val of a detector, or of the difference of two on the same images (paired).

    The delete-a-group jackknife (Kott 2001): √((m − 1)/m · Σ (d_g − mean d)²), with d_g the AP, or the
    difference, without part g of the images. `None` with fewer than two parts, or where one has none.
    """
    if other is not None and len(other.val_without) != len(one.val_without):
        return None
    values = np.array(one.val_without)
    if other is not None:
        values = values - np.array(other.val_without)
    if len(values) < 2:
        return None
    return float(np.sqrt((len(values) - 1) / len(values) * np.square(values - values.mean()).sum()))


UNSTEADY = 0.5
"""Spread, as a share of the median, from which on a time tells of other work on the machine."""
COLUMNS = (
    *("name", "kind", "depths", "widths", "neck_width", "longest_side", "shortest_side"),
    *("ap_val", "ap50_val", "ap_test", "ap50_test", "params", "macs"),
    *("median_ms", "lower_quartile_ms", "upper_quartile_ms", "predicted_ms", "dominated_by"),
    *("runtime", "device", "threads", "not_timed"),
)


def table_bytes(front: Front) -> bytes:
    """The content of `front.csv`: plain numbers, fractions and milliseconds; an empty field is none."""
    record = front.latencies
    return csv_bytes(COLUMNS, [_cells(row, record) for row in front.rows])


def _cells(row: Row, record: Latencies | None) -> list[str | int | float | None]:
    subnet, test, latency = row.subnet, row.test, row.latency
    return [
        row.name,
        row.kind,
        " ".join(map(str, subnet.depths)) if subnet else None,
        " ".join(map(str, subnet.widths)) if subnet else None,
        subnet.neck_width if subnet else None,
        *row.resolution,
        row.val.ap,
        row.val.ap50,
        test.ap if test else None,
        test.ap50 if test else None,
        row.params,
        row.macs,
        latency.median if latency else None,
        latency.lower_quartile if latency else None,
        latency.upper_quartile if latency else None,
        row.predicted,
        " ".join(row.dominated_by),
        record.runtime if record and latency else None,
        record.device if record and latency else None,
        record.threads if record and latency else None,
        row.not_timed,
    ]


def unsteady(front: Front) -> str | None:
    """What to say where the times were measured beside other work; `None` where they are steady.

    On an idle machine the quartiles of images of one shape are a tenth or two apart.
    """
    timed = [row.latency for row in front.rows if row.latency]
    apart = [one for one in timed if one.spread > UNSTEADY * one.median]
    if 2 * len(apart) <= len(timed):
        return None
    return (
        f"the times are not to be relied on: of {len(apart)} of {counted(len(timed), 'detector')} the "
        f"quartiles lie more than {UNSTEADY:g} of the median apart. Other work ran meanwhile, or the images "
        "differ much in shape; docs/howto/front.md says how to measure again"
    )


def table_text(front: Front) -> str:
    """The table for a terminal."""
    split = front.split
    head = ("name", "resolution", "AP val", f"AP {split}", f"AP50 {split}", "M params", "GMACs")
    lines: list[tuple[str, ...]] = [(*head, "ms", "spread", "dominated by")]
    for row in front.rows:
        shown = row.test or row.val
        latency = row.latency
        lines.append(
            (
                row.name,
                "x".join(map(str, row.resolution)),
                f"{row.val.ap:.3f}",
                f"{shown.ap:.3f}",
                f"{shown.ap50:.3f}",
                f"{row.params / 1e6:.3g}",
                f"{row.macs / 1e9:.3g}",
                f"{latency.median:.2f}" if latency else "-",
                f"{latency.spread:.2f}" if latency else "-",
                " ".join(row.dominated_by) or "-",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            word.ljust(width) if column in (0, len(widths) - 1) else word.rjust(width)
            for column, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    if record := front.latencies:
        text.append(
            f"ms: median of an image by {record.runtime} {record.packages[record.runtime]} on "
            f"{record.device}, {counted(record.threads, 'thread')}, {counted(record.images, 'image')}, "
            f"{counted(record.rounds, 'round')}, interleaved; spread: between the quartiles"
        )
        if warning := unsteady(front):
            text.append(warning)
    return "\n".join(text)
