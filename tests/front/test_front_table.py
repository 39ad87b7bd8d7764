"""The table of a front: who dominates whom, the noise of a difference, what the files say."""

import csv
import io
import math

import pytest

from pipeline.deploy.latency import Latencies, summary
from pipeline.front.table import (
    COLUMNS,
    Accuracy,
    Front,
    Row,
    compared,
    standard_error,
    table_bytes,
    table_text,
    unsteady,
)
from pipeline.teacher_pool.space import Subnet

SUBNET = Subnet(
    depths=(1, 1, 2, 1), widths=(1.0, 1.0, 1.5, 1.0), neck_width=1.25, resolution=(96, 96)
)


def row(
    name: str, val: float, test: float | None, ms: float | None, without: tuple[float, ...] = ()
) -> Row:
    stock = not name[1:].isdigit()
    return Row(
        name=name,
        kind="stock" if stock else "subnet",
        subnet=None if stock else SUBNET,
        resolution=(96, 96),
        val=Accuracy(ap=val, ap50=val),
        test=None if test is None else Accuracy(ap=test, ap50=test),
        val_without=without,
        params=1000,
        macs=2000,
        latency=None if ms is None else summary(name, [ms / 1000] * 3),
        not_timed="no such operator" if ms is None else None,
    )


ROWS = [
    row("base", 0.30, 0.25, 12.0),
    row("s1", 0.40, 0.30, 10.0),
    row("s0", 0.30, 0.33, 5.0),
    row("student", 0.20, 0.40, 9.0),
    row("upgrade", 0.90, 0.90, None),
]


def front(rows: list[Row]) -> Front:
    record = Latencies(
        runtime="onnxruntime",
        device="a CPU",
        threads=1,
        images=1,
        rounds=3,
        warm_up=3,
        seed=0,
        packages={"onnxruntime": "1.2"},
        models=(),
    )
    return Front(split="test", evaluated=9, latencies=record, rows=compared(rows))


def test_subnets_are_compared_on_val_and_others_on_test() -> None:
    found = {each.name: each.dominated_by for each in compared(ROWS)}
    # on test s0 is better than s1, but both were chosen on val
    assert found == {
        "s0": (),
        "s1": ("student",),
        "base": ("s0", "s1", "student"),
        "student": (),
        "upgrade": (),
    }
    assert [each.name for each in compared(ROWS)][:2] == ["s0", "s1"]


def test_without_a_test_split_all_are_compared_on_val() -> None:
    rows = [row("s0", 0.3, None, 5.0), row("base", 0.3, None, 5.0), row("other", 0.3, None, 6.0)]
    found = {each.name: each.dominated_by for each in compared(rows)}
    assert found == {"s0": (), "base": (), "other": ("s0", "base")}


def test_the_jackknife_by_hand() -> None:
    one = row("s0", 0.3, None, 1.0, (0.30, 0.32, 0.28, 0.30))
    other = row("s1", 0.3, None, 1.0, (0.29, 0.31, 0.27, 0.33))
    assert standard_error(one) == pytest.approx(math.sqrt(3 / 4 * (0.02**2 + 0.02**2)))
    # differences 0.01, 0.01, 0.01, -0.03 around a mean of 0
    assert standard_error(one, other) == pytest.approx(math.sqrt(3 / 4 * (3e-4 + 9e-4)))
    assert standard_error(row("s0", 0.3, None, 1.0)) is None


def test_times_beside_other_work_are_told_as_such() -> None:
    def timed(name: str, *seconds: float) -> Row:
        return row(name, 0.3, 0.3, 1.0).model_copy(update={"latency": summary(name, list(seconds))})

    steady = [timed(f"s{n}", 0.010, 0.010, 0.0105, 0.011, 0.012) for n in range(3)]
    wild = [timed(f"s{n}", 0.010, 0.010, 0.011, 0.02, 0.03) for n in range(3, 6)]
    assert unsteady(front([*steady, *wild])) is None, "a half of them is an accident"
    found = front([*steady[:2], *wild])
    assert (unsteady(found) or "").startswith(
        "the times are not to be relied on: of 3 of 5 detectors"
    )
    assert str(unsteady(found)) in table_text(found)
    assert unsteady(front([row("s0", 0.3, 0.3, None)])) is None


def test_the_files_hold_what_the_table_shows() -> None:
    found = front(ROWS)
    lines = list(csv.DictReader(io.StringIO(table_bytes(found).decode())))
    assert tuple(lines[0]) == COLUMNS
    first = lines[0]
    assert (first["name"], first["depths"], first["widths"]) == ("s0", "1 1 2 1", "1.0 1.0 1.5 1.0")
    assert float(first["median_ms"]) == pytest.approx(5.0)
    assert float(first["ap_test"]) == 0.33 and first["device"] == "a CPU"
    (upgrade,) = (line for line in lines if line["name"] == "upgrade")
    assert upgrade["median_ms"] == upgrade["device"] == "" and upgrade["not_timed"]
    text = table_text(found)
    assert "onnxruntime 1.2 on a CPU, 1 thread, " in text
    assert any(line.split()[:3] == ["base", "96x96", "0.300"] for line in text.splitlines())
    assert Front.model_validate_json(found.model_dump_json()) == found
