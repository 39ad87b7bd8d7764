"""The tables and figures of the paper as targets: what they share, and what they leave."""

import csv

import pytest
from workflow_project import Project

from pipeline.artifacts.files import read_json
from pipeline.artifacts.weights import WEIGHTS
from pipeline.search_space.architecture import COMPONENTS, Architecture

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def test_targets_share_what_they_train(finished: Project):
    """Table 5 needs a baseline and three mixtures, Table 2 the same baseline, Table 4 one more search."""
    assert finished.stale("hit_table2") == {
        "choose_network": 1,
        "pretrain_backbone": 1,
        "train_detector": 1,
        "evaluate": 1,
        "draw": 1,
        "hit_table2": 1,
    }
    together = finished.stale("hit_table2", "hit_table4", "hit_table5")
    assert together["train_detector"] == 1 + 1 + 3
    assert together["pretrain_backbone"] == 1 + 1
    assert together["search"] == 1
    assert "screen" not in together


def test_table_3_takes_its_student_from_the_standard_trainings(finished: Project):
    """Two baselines; the student's own is one of them, and its teacher's pool is that of the run."""
    baselines = finished.stale("standard_baselines")
    assert baselines == {
        "choose_network": 2,
        "train_student": 2,
        "evaluate": 2,
        "standard_baselines": 1,
    }
    together = finished.stale("standard_baselines", "joint_table3", "joint_table1")
    assert together["train_student"] == 2 + 2 + 1, "two baselines; by two distillations; one alone"
    assert together["sample_subnet"] == 1 and "shrink_pool" not in together


def test_random_networks_are_trained_with_two_seeds_as_the_searched_one_is(finished: Project):
    """Two random networks and a plain one, twice each, and the searched one once more."""
    jobs = {
        "sample_architecture": 2,
        "scale_plain": 1,
        "pretrain_backbone": 7,
        "train_detector": 7,
        "evaluate": 7,
        "draw": 1,
    }
    assert finished.stale("hit_random") == {**jobs, "hit_random": 1}
    wanted = ("--config", "report={random: true}")
    drawn = {"time_detectors": 1, "draw_report": 1, "report": 1}
    assert finished.stale("report", *wanted) == {**jobs, **drawn}
    printed = finished.snakemake("-n", "-p", "hit_random").stdout
    again = [line for line in printed.splitlines() if "again/1/hit_detector/detector/m" in line]
    assert any("--seed 1 " in line for line in again)
    first = [line for line in printed.splitlines() if "test/ablations/random/0/detector/m" in line]
    assert any("--seed 0 " in line for line in first)


def test_figure_4_screens_once_for_each_regulariser_that_is_not_there(finished: Project):
    """μ of 0 and 0.1, two regularisers: the run itself has min_column with 0.1."""
    assert finished.stale("hit_figure4") == {
        "screen": 2,
        "draw": 1,
        "hit_figure4": 1,
    }


def test_tables_and_figures_are_drawn_from_what_was_trained(finished: Project):
    others = (
        "baselines={nas_fpn: {zoo: nas_fpn_r50, width: 0.0625, head_width: 0.03125}}",
        "ablations={mixed: {nas_fpn_neck: {backbone: hit_detector, neck: nas_fpn}}}",
    )
    result = finished.snakemake("hit_table5", "hit_figure4", "--config", *others)
    assert result.returncode == 0, result.stdout[-6000:]
    folder = finished.results / "tables/hit_table5"
    rows = list(csv.DictReader((folder / "hit_table5.csv").open()))
    assert [row["model"] for row in rows] == [
        "r18",
        "searched_backbone",
        "searched_neck",
        "searched_head",
        "nas_fpn_neck",
        "hit_detector",
    ]
    params = {row["model"]: int(row["params"]) for row in rows}
    assert len(set(params.values())) == 6, "six different networks"
    mixed = Architecture.load(
        finished.results / "ablations/mixed/nas_fpn_neck/detector/architecture.json"
    )
    searched = Architecture.load(finished.results / "hit_detector/architecture.json")
    assert mixed.backbone == searched.backbone and mixed.neck.type == "nas_fpn"
    assert "<svg" in (folder / "hit_table5.svg").read_text()
    curves = (finished.results / "figures/hit_figure4/hit_figure4.csv").read_text().splitlines()
    assert len({tuple(line.split(",")[:2]) for line in curves[1:]}) == 3


def test_the_random_search_is_as_long_as_the_search_and_takes_no_part_in_it(finished: Project):
    """It waits for the list that may end it; Figure 4 needs two searches, of one student each."""
    climb = {"propose": 2, "evaluate_candidate": 4, "rank": 2, "remove_weights": 2}
    wanted = {**climb, "take_student": 1, "evaluate": 1, "trace_descent": 1, "draw": 1}
    for control in ("joint_random", "joint_unranked"):
        assert finished.stale(control) == {**wanted, control: 1}
    twice = {name: 2 * count for name, count in climb.items()}
    assert finished.stale("joint_figure4") == {
        **twice,
        "trace_descent": 2,
        "draw": 1,
        "joint_figure4": 1,
    }
    result = finished.snakemake("joint_random", "joint_unranked", "joint_figure4")
    assert result.returncode == 0, result.stdout[-6000:]
    for control, pruning in (("random", 0), ("unranked", 1)):
        path = finished.results / f"tables/joint_{control}/joint_{control}.csv"
        rows = list(csv.DictReader(path.open()))
        assert [(row["search"], row["candidates"], row["epochs"]) for row in rows] == [
            ("search", "4", "4"),
            (control, "4", "4"),
        ]
        folder = finished.results / f"joint_detnas/{control}/generation_1/proposals"
        assert {one["parent"]["generation"] for one in read_json(folder / "proposals.json")} == {0}
        settings = read_json(folder / "manifest.json")["config"]
        assert settings["proposing"]["pruning_generations"] == pruning
    students = set()
    for search in ("dynamic_teachers", "one_teacher"):
        path = finished.results / f"joint_detnas/{search}/descent/descent.json"
        for one in read_json(path)["evaluations"]:
            assert one["proposal"]["action"] is None
            students.add(one["macs"])
    assert len(students) == 1


def test_controls_that_are_asked_for_later_bring_back_the_weights_of_their_parents(
    finished: Project,
):
    """Four controls, the second generation anew, as the first one's list lost its weights, and who left it.

    Whether a candidate of the first generation has left the list depends on the bits of the machine.
    """
    folder = finished.results / "joint_detnas/hill_climb/generation_0"
    gone = [each for each in folder.glob("candidate_*") if not (each / WEIGHTS).exists()]
    wanted = ("--config", "hill_climb={controls: true}")
    assert finished.stale("joint_figure6", *wanted) == {
        "evaluate_candidate": 4 + 2 + len(gone),
        "rank": 2,
        "propose": 1,
        "remove_weights": 2,
        "trace_descent": 1,
        "draw": 1,
        "joint_figure6": 1,
    }


def test_joint_targets_share_the_search_and_train_what_is_missing(finished: Project):
    """One percentage to prune, two pipelines, and a second search of two generations of two candidates."""
    targets = ("joint_table2", "joint_table4", "joint_table5", "joint_figure4_search")
    assert finished.stale(*targets) == {
        **dict.fromkeys(targets, 1),
        "search_pool": 1,
        "refine_detector": 1 + 2,
        "evaluate": 1 + 3,
        "propose": 2,
        "evaluate_candidate": 4,
        "rank": 2,
        "remove_weights": 2,
        "trace_descent": 1,
        "draw": 4,
    }
    result = finished.snakemake("joint_figure6")
    assert result.returncode == 0, result.stdout[-6000:]
    assert "evaluate_candidate" not in result.stdout
    rows = (
        "baselines={reppoints: {zoo: reppoints_r101, width: 0.0625, head_width: 0.125}}",
        "joint_tables={baselines: [reppoints]}",
    )
    result = finished.snakemake("joint_table3", "joint_table6", "joint_table7", "--config", *rows)
    assert result.returncode == 0, result.stdout[-6000:]
    for table, models in (
        ("joint_table3", ["without_teacher", "with_imitation", "with_teacher"]),
        ("joint_table6", ["reppoints", "base", "student", "upgrade"]),
    ):
        found = csv.DictReader((finished.results / f"tables/{table}/{table}.csv").open())
        assert [row["model"] for row in found] == models
    path = finished.results / "tables/joint_table7/joint_table7.csv"
    parts = {row["part"]: row for row in csv.DictReader(path.open())}
    assert {"base detector", "teacher pool", "search", "student"} <= set(parts)
    assert parts["search"]["architectures"] == "4"
    assert parts["random search in place of the search"]["architectures"] == "4"
    assert parts["search"]["jobs"] == str(2 * (1 + 2 + 1))


def test_a_further_base_has_a_search_of_its_own_on_the_same_data_and_pool(finished: Project):
    """Its training, two generations of two candidates, its student and control; else only the table."""
    wanted = ("--config", "further_bases={r50: {network: fpn_r50_2fc}}")
    climb = {"propose": 2, "evaluate_candidate": 4, "rank": 2}
    assert finished.stale("joint_table4", *wanted) == {
        "choose_network": 1,
        "train_student": 1,
        **climb,
        "take_student": 1,
        "refine_detector": 1,
        "evaluate": 3,
        "draw": 1,
        "joint_table4": 1,
    }
    assert finished.stale("report", "joint_detnas", *wanted) == {}


def test_parts_are_searched_apart_and_combined(finished: Project):
    """Each search has candidates in one component alone, and the combined detector each one's part."""
    jobs = finished.stale("hit_apart")
    assert jobs == {
        "hold_part": 3,
        "pretrain_search_supernet": 3,
        "search": 3,
        "derive": 3,
        "combine_parts": 1,
        "pretrain_backbone": 1,
        "train_detector": 1,
        "evaluate": 1,
        "draw": 1,
        "hit_apart": 1,
    }
    result = finished.snakemake("hit_apart")
    assert result.returncode == 0, result.stdout[-6000:]
    ablations = finished.results / "ablations"
    combined = Architecture.load(ablations / "combined/architecture.json")
    assert Architecture.load(ablations / "combined/detector/architecture.json") == combined
    for component in COMPONENTS:
        alone = Architecture.load(ablations / f"apart/{component}/architecture.json")
        assert combined.blocks(component) == alone.blocks(component)
        scores = read_json(ablations / f"apart/{component}/search/scores.json")["components"]
        kept = read_json(
            finished.results / f"hit_detector/screening/{component}/sub_search_space.json"
        )["kept"]
        for other in COMPONENTS:
            operations = kept if other == component else ["conv_k3_d1"]
            assert scores[other]["operations"] == operations
            if other != component:
                held = {str(block.operation) for block in alone.blocks(other).values()}
                assert held == {"conv_k3_d1"}
    table = finished.results / "tables/hit_apart/hit_apart.csv"
    with table.open(newline="") as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["combined", "hit_detector"]
