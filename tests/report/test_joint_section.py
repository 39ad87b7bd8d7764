"""The report's section on Joint-DetNAS, on a run with plausible numbers."""

import re
import shutil
from pathlib import Path

import pytest
from synthetic_joint import BESIDE, add_joint
from synthetic_run import make_run

from pipeline.artifacts.errors import ArtifactError
from pipeline.config.evaluation import ReportConfig
from pipeline.report.page import build_report

SETTINGS = ReportConfig(example_images=2, score_threshold=0.3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("runs") / "both")
    add_joint(folder)
    return folder


def test_a_run_with_both_methods_shows_both(run: Path) -> None:
    files = build_report(run, SETTINGS, BESIDE)
    page = files["report.html"].decode()
    for shown in (
        "an AP of 30.0 %",
        "an AP of 34.5 %",
        "ancestors together, has an AP of 32.0 %",
        "6 candidates in 3 generations",
        "no training after the search: 6 epochs since the base",
        "prune 10 % of the channels",
        "All 6 candidates",
        "The student on the first 2 validation images by id",
        "upgraded by pruning",
    ):
        assert shown in page
    ids = re.findall(r'<section id="(\w+)">', page)
    assert ids[ids.index("training") + 1] == "joint_detnas"
    for name in (
        "figures/joint_descent.svg",
        "figures/joint_allocation.svg",
        "figures/results.svg",
        "figures/student_detections_000001.svg",
        "tables/joint_upgrade.csv",
        "tables/joint_line.csv",
        "tables/joint_candidates.csv",
        "tables/joint_allocation.csv",
    ):
        assert name in files
    # the time of all that either result descends from
    assert b"joint_detnas/hill_climb/generation_0/candidate_0" in files["tables/time.csv"]
    every_id = re.findall(r'\bid="([^"]*)"', page)
    assert len(every_id) == len(set(every_id))


def test_a_random_search_is_shown_where_it_is_wanted(run: Path) -> None:
    root = run / "joint_detnas"
    if not (root / "random").exists():
        shutil.copytree(root / "hill_climb/descent", root / "random/descent")
        shutil.copytree(root / "base_longer/evaluation", root / "random/student/evaluation")
    wanted = SETTINGS.model_copy(update={"joint_random": True})
    files = build_report(run, wanted, BESIDE)
    table = files["tables/joint_random_search.csv"].decode().splitlines()
    assert len(table) == 3 and table[2].startswith("random,6,18,6,0.6,")
    assert "figures/joint_random_search.svg" in files
    assert "tables/joint_random_search.csv" not in build_report(run, SETTINGS, BESIDE)


def test_the_page_shows_what_it_was_given_not_what_lies_there(run: Path) -> None:
    alone = build_report(run, SETTINGS)
    assert "joint_detnas" not in alone["report.html"].decode()
    assert not any("joint" in name for name in alone)
    assert b"joint_detnas" not in alone["tables/time.csv"]


def test_a_missing_search_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "both")
    add_joint(folder)
    (folder / "joint_detnas/hill_climb/descent/descent.json").unlink()
    with pytest.raises(ArtifactError, match=r"descent\.json"):
        build_report(folder, SETTINGS, BESIDE)
