"""Tables and figures of the ablation studies, from made-up results."""

import csv
import io
from xml.etree import ElementTree

import pytest
from made_up_metrics import metrics

from pipeline.report.ablations import (
    DETECTOR_TABLES,
    Replacement,
    Screened,
    detector_table,
    replacement_study,
    sparsity_study,
    spread,
)
from pipeline.report.inputs import History, Removal, SubSearchSpace


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


DETECTORS = {"r18": metrics(0.25), "searched_neck": metrics(0.3), "hit_detector": metrics(0.375)}


@pytest.mark.parametrize("name", DETECTOR_TABLES)
def test_every_table_has_a_row_a_detector_in_the_given_order(name: str) -> None:
    table, figure = detector_table(name, DETECTORS)
    found = rows(table.csv())
    assert [row["model"] for row in found] == list(DETECTORS)
    assert [float(row["AP"]) for row in found] == [0.25, 0.3, 0.375]
    drawn = figure.file().decode()
    ElementTree.fromstring(drawn)
    for text in (*DETECTORS, "25.0", "37.5"):
        assert text in drawn


def test_the_columns_are_the_papers() -> None:
    table2 = rows(detector_table("hit_table2", DETECTORS)[0].csv())[0]
    assert (table2["params"], table2["paper_flops"], table2["macs"]) == ("400", "4400", "4000")
    table1 = rows(detector_table("hit_table1", DETECTORS)[0].csv())[0]
    assert table1["head_params"] == "100"
    marks = [
        [row[f"searched_{part}"] for part in ("backbone", "neck", "head")]
        for row in rows(detector_table("hit_table5", DETECTORS)[0].csv())
    ]
    assert marks == [["", "", ""], ["", "x", ""], ["x", "x", "x"]]


def test_figure_3_has_a_row_a_training_and_a_panel_a_component() -> None:
    trained = [
        Replacement(component, f"block{k}", operation, 0.1 * k)
        for component in ("backbone", "head")
        for operation in ("conv_k3_d1", "sep_k5_d1")
        for k in (1, 2)
    ]
    table, figure = replacement_study(trained, ("conv_k3_d1", "sep_k5_d1"), "conv_k3_d1")
    assert len(rows(table.csv())) == 8
    drawn = figure.file().decode()
    for text in ("backbone", "neck", "head", "sep_k5_d1"):
        assert text in drawn


def screened(mu: float, scores: list[dict[str, float]], *removed: Removal) -> Screened:
    records = [
        {"epoch": epoch} | {f"probability/neck/{name}": value for name, value in found.items()}
        for epoch, found in enumerate(scores, 1)
    ]
    space = {"kept": ["a", "b"], "scores": scores[-1], "removed": removed}
    return Screened(
        "min_column",
        mu,
        SubSearchSpace.model_construct(**space),
        History.model_validate({"records": records}),
    )


def test_figure_4_holds_every_score_and_its_spread() -> None:
    even, apart = {"a": 0.5, "b": 0.5}, {"a": 0.8, "b": 0.2}
    table, figure = sparsity_study(
        "neck", [screened(0.0, [even, even]), screened(0.1, [even, apart])]
    )
    found = rows(table.csv())
    assert len(found) == 8
    last = [row for row in found if row["epoch"] == "2" and row["operation"] == "a"]
    assert [(row["mu"], row["score"]) for row in last] == [("0.0", "0.5"), ("0.1", "0.8")]
    assert [float(row["spread"]) for row in last] == pytest.approx([0, 0.3])
    assert "μ = 0" in figure.file().decode()
    assert spread(apart) == pytest.approx(0.3)


def test_a_removed_candidate_ends_with_its_score_at_that_moment() -> None:
    """Short schedules remove a candidate before any epoch ends: it is in the table all the same."""
    removed = Removal.model_construct(epoch=1, iteration=3, operation="c", score=0.2)
    lost = screened(0.1, [{"a": 0.6, "b": 0.4}], removed)
    table, _ = sparsity_study("neck", [lost])
    assert {row["operation"]: row["score"] for row in rows(table.csv())} == {
        "a": "0.6",
        "b": "0.4",
        "c": "0.2",
    }
