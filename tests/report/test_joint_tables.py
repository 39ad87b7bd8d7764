"""Tables and figures of Joint-DetNAS from made-up searches, detectors and manifests, by hand."""

import csv
import io
from xml.etree import ElementTree

import pytest
from made_up_metrics import evaluated, manifest, metrics
from made_up_search import made_up_search

from pipeline.hill_climb.descent import CHANGES, Descent
from pipeline.report.ablations import detector_table
from pipeline.report.joint_controls import control_comparison
from pipeline.report.joint_search import (
    CHANGE_NAMES,
    Capacity,
    candidate_table,
    capacity_study,
    describe_teacher,
    draw_descent,
    gain_study,
    teacher_comparison,
)
from pipeline.report.joint_tables import (
    Pipeline,
    SearchCost,
    StageCost,
    allocation_study,
    further_training_table,
    pipeline_table,
    search_cost_table,
    upgrade_table,
)
from pipeline.report.svg import Figure
from pipeline.report.tables import Table


@pytest.fixture(scope="module")
def descent() -> Descent:
    return Descent(made_up_search())


def rows(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.csv().decode())))


def column(table: Table, key: str) -> list[str]:
    return [row[key] for row in rows(table)]


def numbers(table: Table, key: str) -> list[float]:
    return [float(value) for value in column(table, key)]


def drawn(figure: Figure) -> str:
    text = figure.file().decode()
    ElementTree.fromstring(text)
    return text


def test_table_2_has_the_backbones_computation() -> None:
    table, _ = detector_table(
        "joint_table2", {"base": metrics(0.3, 4000, 900), "pruned_10": metrics(0.31, 3800, 700)}
    )
    assert column(table, "model") == ["base", "pruned_10"]
    assert column(table, "backbone_macs") == ["900", "700"]


def test_table_4_against_the_base() -> None:
    detectors = {
        "base": evaluated(0.30, 4000, 0.5),
        "base_longer": evaluated(0.32, 4000, 0.5),
        "student": evaluated(0.35, 3000, 0.25),
    }
    table, figure = upgrade_table(detectors)
    assert column(table, "model") == list(detectors)
    assert numbers(table, "macs_change") == [0, 0, -0.25]
    assert numbers(table, "AP_change") == pytest.approx([0, 0.02, 0.05])
    assert numbers(table, "images_per_second") == [2, 2, 4]
    assert column(table, "input_size") == ["64x96"] * 3
    assert "base_longer" in drawn(figure)


def test_table_4_compares_a_further_student_with_its_own_base() -> None:
    detectors = {
        "base": evaluated(0.30, 4000),
        "student": evaluated(0.35, 3000),
        "r50.base": evaluated(0.40, 8000),
        "r50.student": evaluated(0.41, 2000),
    }
    table, _ = upgrade_table(detectors)
    assert numbers(table, "macs_change") == [0, -0.25, 0, -0.75]
    assert numbers(table, "AP_change") == pytest.approx([0, 0.05, 0, 0.01])


def test_table_4_of_detectors_without_objects_to_find() -> None:
    table, _ = upgrade_table({"base": evaluated(None, 10), "student": evaluated(0.1, 9)})
    assert column(table, "AP_change") == ["", ""]


def test_table_5_has_start_and_end_and_no_start_of_the_joint_search() -> None:
    table, figure = pipeline_table(
        {
            "base_prune_distil": Pipeline(evaluated(0.30, 4000), evaluated(0.33, 2000)),
            "joint_detnas": Pipeline(None, evaluated(0.36, 1900)),
        }
    )
    assert column(table, "start_backbone_macs") == ["2000", ""]
    assert column(table, "backbone_macs") == ["1000", "950"]
    assert float(column(table, "AP_change")[0]) == pytest.approx(0.03)
    assert column(table, "AP_change")[1] == ""
    assert "36.0" in drawn(figure)


def test_table_7_adds_up_the_manifests_by_part() -> None:
    root = "joint_detnas"
    found = {
        "data/detection": manifest(36),
        f"{root}/base/detector": manifest(3600, 24),
        f"{root}/base/evaluation": manifest(0),
        f"{root}/teacher_pool/phase_0": manifest(7200, 48),
        f"{root}/teacher_pool/phase_1": manifest(3600, 24),
        f"{root}/hill_climb/generation_0/candidate_0": manifest(1800, 12),
        f"{root}/hill_climb/generation_0/candidate_1": manifest(1800, 12),
        f"{root}/hill_climb/generation_0": manifest(0),
        f"{root}/student/detector": manifest(360),
        "elsewhere": manifest(0),
    }
    instead = {
        "data/detection": manifest(36),
        f"{root}/hill_climb/generation_0/ranking": manifest(5),
        f"{root}/random/generation_0/candidate_0": manifest(720, 6),
        f"{root}/random/student/detector": manifest(0),
    }
    random = SearchCost(instead, 1, metrics(0.3, 2000))
    table, figure = search_cost_table(SearchCost(found, 2, metrics(0.4, 3000)), random)
    *_, last = rows(table)
    assert (last["jobs"], last["architectures"], last["AP"]) == ("2", "1", "0.3")
    assert float(last["wall_hours"]) == 0.2 and float(last["gpu_days"]) == 0.25
    by_part = {row["part"]: row for row in rows(table)}
    assert float(by_part["teacher pool"]["wall_hours"]) == 3
    assert float(by_part["teacher pool"]["gpu_days"]) == 3
    assert by_part["search"]["jobs"] == "3" and by_part["search"]["architectures"] == "2"
    assert float(by_part["search"]["gpu_days"]) == 1
    total = by_part["total"]
    assert float(total["gpu_days"]) == 5 and float(total["wall_hours"]) == pytest.approx(5.11)
    assert (total["jobs"], total["AP"], total["macs"]) == ("10", "0.4", "3000")
    assert "GPU-days" in drawn(figure)
    on_a_cpu = {name: manifest(one.wall_seconds) for name, one in found.items()}
    alone = SearchCost(on_a_cpu, 2, metrics(0.4))
    assert "wall hours" in drawn(search_cost_table(alone, random)[1])


def test_table_6_has_the_epochs_after_the_search() -> None:
    detectors = {
        "base": evaluated(0.30, 4000, 0.5),
        "student": evaluated(0.35, 3000, 0.25),
        "upgrade": evaluated(0.40, 5000, 0.5),
    }
    epochs = {"base": None, "student": 0, "upgrade": 16}
    table, figure = further_training_table("joint_table6", detectors, epochs)
    assert column(table, "epochs") == ["", "0", "16"]
    assert numbers(table, "AP") == [0.3, 0.35, 0.4] and numbers(table, "APM") == [0.5] * 3
    assert numbers(table, "images_per_second") == [2, 4, 2]
    assert "upgrade" in drawn(figure)


def test_figure_4_follows_the_best_of_each_search(descent: Descent) -> None:
    alone = Descent(made_up_search(lambda place: place[0] == 0))
    table, figure = teacher_comparison("joint_figure4", {"dynamic": descent, "fixed": alone})
    assert [(row["search"], row["candidate"]) for row in rows(table)] == [
        ("dynamic", "0.0"),
        ("dynamic", "1.0"),
        ("dynamic", "2.1"),
        ("fixed", "0.0"),
    ]
    assert numbers(table, "H") == [0.5, 0.55, 0.6, 0.5]
    assert numbers(table, "AP") == [0.25, 0.275, 0.3, 0.25]
    assert "fixed" in drawn(figure)


@pytest.mark.parametrize(
    ("control", "said"), [("random", "of all kinds"), ("unranked", "proposes as the search does")]
)
def test_the_search_beside_one_without_ranking(descent: Descent, control: str, said: str) -> None:
    """Three epochs a candidate; the evaluated AP is another one than that of the search."""
    alone = Descent(made_up_search(lambda place: place[0] == 0))
    students = {"search": evaluated(0.35, 3000), control: evaluated(0.30, 4000)}
    table, figure = control_comparison("it", {"search": descent, control: alone}, students)
    assert column(table, "candidates") == ["6", "2"]
    assert column(table, "epochs") == ["18", "6"]
    assert column(table, "student_epochs") == ["6", "3"]
    assert numbers(table, "H") == [0.6, 0.5] and numbers(table, "val_AP") == [0.3, 0.25]
    assert numbers(table, "AP") == [0.35, 0.30] and numbers(table, "macs") == [3000, 4000]
    assert numbers(table, "AP_change") == pytest.approx([0.05, 0])
    assert said in table.caption and control in drawn(figure)


def test_figure_5_marks_the_best_so_far(descent: Descent) -> None:
    students = {name: 100 + name.candidate for name in descent.evaluations}
    teachers = {name: 1000 * (1 + name.generation) for name in descent.evaluations}
    search = Capacity(descent, students, teachers)
    table, figure = capacity_study({"base": search})
    assert [(row["generation"], row["candidate"]) for row in rows(table) if row["best_so_far"]] == [
        ("0", "0"),
        ("1", "0"),
        ("2", "1"),
    ]
    assert numbers(table, "teacher_params") == [1000, 1000, 2000, 2000, 3000, 3000]
    assert "teacher" in drawn(figure)
    assert "base" not in rows(table)[0]

    both, figure = capacity_study({"base": search, "r50": search})
    assert column(both, "base") == ["base"] * 6 + ["r50"] * 6
    assert column(both, "student_params")[6:] == column(table, "student_params")
    assert "r50" in drawn(figure)


def test_every_change_has_a_name_in_the_figures() -> None:
    assert set(CHANGE_NAMES) == set(CHANGES)


def test_figure_6_has_a_row_a_change(descent: Descent) -> None:
    table, figure = gain_study(descent, 0.4)
    by_change = {row["change"]: row for row in rows(table)}
    assert len(by_change) == 5
    pruning = by_change["prune_channels"]
    assert (pruning["candidates"], pruning["beneficial"]) == ("2", "2")
    assert float(pruning["gain"]) == pytest.approx(0.2)
    assert (float(pruning["share_early"]), float(pruning["share_middle"])) == (1, 0)
    assert by_change["rearrange_layer"]["beneficial"] == "0"
    assert "late generations" in drawn(figure)


def test_figure_7_before_and_after() -> None:
    base = {"stem": StageCost(0, 100), "stage1": StageCost(2, 300)}
    student = {"stem": StageCost(0, 90), "stage1": StageCost(1, 150)}
    table, figure = allocation_study(base, student)
    assert numbers(table, "change") == pytest.approx([-0.1, -0.5, -0.4])
    assert column(table, "student_macs") == ["90", "150", "240"]
    assert column(table, "base_blocks") == ["0", "2", "2"]
    assert "stage1" in drawn(figure)


def test_the_line_of_the_student_in_words(descent: Descent) -> None:
    gains = {gain.name: gain.value for gain in descent.gains(0.4)}
    table = candidate_table("line", descent.line(descent.best), gains, "")
    first, last = rows(table)
    assert (first["candidate"], first["parent"], last["parent"]) == ("0.0", "base", "0.0")
    assert last["change"] == "prune 10 % of the channels"
    assert (last["resolution"], float(last["AP"]), float(last["H"])) == ("100x60", 0.3, 0.6)
    assert float(last["gain"]) == pytest.approx(0.1)
    teachers = {describe_teacher(one.proposal.teacher) for one in descent.evaluations.values()}
    assert teachers == {
        "3-4-23-3 blocks, widths 1.5-1.5-1.5-1.5, neck 1.5",
        "2-2-2-2 blocks, widths 1-1-1-1, neck 1",
    }
    text = drawn(draw_descent("search_descent", descent))
    assert "prune channels" in text and "generation" in text
