"""What the results of several seeds have in common."""

from csv import DictReader
from io import StringIO

import pytest
from synthetic_joint import BESIDE, add_joint
from synthetic_run import make_run

from pipeline.artifacts.files import read_json, write_json
from pipeline.config.evaluation import ReportConfig
from pipeline.report.page import build_report
from pipeline.report.seeds import spread

SETTINGS = ReportConfig(example_images=1)


def test_the_interval_of_three_values_by_hand():
    # mean 0.42, deviations -0.02, 0, 0.02: s = 0.02; t(2) for 95 % is 4.302653, over sqrt(3): 2.484138 s
    found = spread([0.40, 0.42, 0.44])
    assert (found.mean, found.deviation) == pytest.approx((0.42, 0.02))
    assert (found.low, found.high) == pytest.approx((0.42 - 0.04968276, 0.42 + 0.04968276))
    alone = spread([0.3])
    assert (alone.mean, alone.deviation, alone.low, alone.high) == (0.3, None, None, None)


def test_the_page_and_the_tables_have_every_seed(tmp_path):
    run = make_run(tmp_path / "run")
    add_joint(run)
    folders = {
        "hit_detector": "hit_detector",
        "base": "joint_detnas/base",
        "base_longer": "joint_detnas/base_longer",
        "student": "joint_detnas/student",
    }
    aps = {
        "hit_detector": (0.40, 0.42, 0.44),
        "base": (0.30, 0.30, 0.30),
        "base_longer": (0.31, 0.35, 0.33),
        "student": (0.35, 0.33, 0.34),
    }
    seeds = {}
    for name, folder in folders.items():
        like = read_json(run / folder / "evaluation/metrics.json")
        for seed, ap in enumerate(aps[name]):
            there = tmp_path / f"seed_{seed}" / name
            write_json(there / "metrics.json", {**like, "AP": ap})
            seeds[f"{seed}.{name}"] = there
    files = build_report(run, SETTINGS, BESIDE, seeds)
    rows = {
        row["detector"]: row for row in DictReader(StringIO(files["tables/seeds.csv"].decode()))
    }
    searched = rows["searched (Hit-Detector)"]
    assert searched["seeds"] == "3" and float(searched["AP"]) == pytest.approx(0.42)
    assert float(searched["deviation"]) == pytest.approx(0.02)
    assert float(searched["low"]) == pytest.approx(0.37031724)
    each = list(DictReader(StringIO(files["tables/seeds_each.csv"].decode())))
    assert len(each) == 12
    assert [row["AP"] for row in each if row["detector"] == "base, trained on"] == [
        "0.31",
        "0.35",
        "0.33",
    ]
    page = files["report.html"].decode()
    # differences 10, 12, 14 points: 12 with ± 4.97; the student's 4, -2 and 1: 1 with s = 3, ± 7.45
    searched = (
        "12.0 points more than the base, trained by a recipe of its own (95 % interval of the difference "
        "7.0 to 17.0)"
    )
    assert searched in page
    student = (
        "1.0 points more than the base trained on (95 % interval of the difference -6.5 to 8.5"
    )
    assert student in page
    assert page.count("which holds 0: no difference is shown") == 1
    assert "seed alone; the next section is over all seeds" in page and "trained once" not in page
    assert page.index('id="answer"') < page.index('id="seeds"') < page.index('id="summary"')
    assert "tables/seeds.csv" not in build_report(run, SETTINGS, BESIDE)
