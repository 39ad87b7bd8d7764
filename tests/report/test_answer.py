"""The report's table of all detectors, and what it says in words."""

from csv import DictReader
from io import StringIO

import pytest
from made_up_metrics import manifest
from synthetic_joint import BESIDE, add_joint
from synthetic_random import add_random
from synthetic_run import make_run

from pipeline.artifacts.files import read_json, write_json
from pipeline.config.evaluation import ReportConfig
from pipeline.deploy.latency import Latencies, summary
from pipeline.deploy.together import TimedTogether
from pipeline.report.page import build_report
from pipeline.report.random_section import RANDOM
from pipeline.report.tables import Column, Table

SETTINGS = ReportConfig(example_images=1)


@pytest.fixture
def run(tmp_path):
    folder = make_run(tmp_path / "run")
    add_joint(folder)
    return folder


def table(files):
    return list(DictReader(StringIO(files["tables/results.csv"].decode())))


def test_every_detector_has_a_row_with_the_time_of_all_it_descends_from(run):
    files = build_report(run, SETTINGS, BESIDE)
    rows = table(files)
    assert [row["detector"] for row in rows] == [
        "searched (Hit-Detector)",
        "base",
        "base, trained on",
        "student (Joint-DetNAS)",
    ]
    searched = read_json(run / "hit_detector/evaluation/metrics.json")
    assert float(rows[0]["AP"]) == searched["AP"] and int(rows[0]["macs"]) == searched["macs"]
    seconds = {row["detector"]: float(row["stage_seconds"]) for row in rows}
    # the table of times of a page with nothing else
    alone = build_report(run, SETTINGS)["tables/time.csv"].decode().splitlines()
    assert alone[-1].startswith("total,")
    assert seconds["searched (Hit-Detector)"] == pytest.approx(float(alone[-1].split(",")[1]))

    page = files["report.html"].decode()
    # 34.5 % against 32.0 % of the base trained for as many epochs
    assert "student has an AP of 34.5 %, 2.5 points more than the base trained for as many" in page
    assert "trained once" in page
    assert page.index(">Results</h2>") < page.index(">The searched detector in numbers</h2>")


def test_a_run_of_one_method_has_one_row_and_no_picture(run):
    files = build_report(run, SETTINGS)
    assert [row["detector"] for row in table(files)] == ["searched (Hit-Detector)"]
    assert "figures/results.svg" not in files
    assert "<code>report.random: true</code> would tell" in files["report.html"].decode()


def test_random_and_plain_networks_stand_beside_them(run):
    accuracies = {
        "searched": (0.40, 0.42),
        "random_0": (0.30, 0.32),
        "random_1": (0.33, 0.33),
        "plain": (0.40, 0.42),
    }
    macs = {"searched": 100, "random_0": 98, "random_1": 104, "plain": 101}
    add_random(run, accuracies, macs)
    files = build_report(run, SETTINGS, [*BESIDE, RANDOM])
    rows = {row["detector"]: row for row in table(files)}
    assert float(rows["random, mean of 2"]["AP"]) == pytest.approx(0.32)
    assert int(rows["random, mean of 2"]["macs"]) == 101
    assert rows["plain"]["seconds_per_image"] == ""
    page = files["report.html"].decode()
    assert "not separable from the plain network of its cost (AP 41.0 %)" in page
    assert "trained once" not in page


def test_times_are_those_taken_in_turns_wherever_the_page_shows_one(run):
    """Own evaluations say 20 ms (`synthetic_run`); together the searched one takes 7 ms, the bases 8."""
    seconds = {
        "hit_detector": (0.006, 0.007, 0.009),
        "joint_detnas/base": (0.007, 0.008, 0.009),
        "joint_detnas/base_longer": (0.007, 0.008, 0.009),
    }
    models = tuple(summary(name, times) for name, times in seconds.items())
    record = Latencies(
        runtime="onnxruntime", device="a <CPU>", threads=1, images=1, rounds=3, warm_up=0, seed=0,
        packages={}, models=models,
    )  # fmt: skip
    refused = {"joint_detnas/student": "no such operator"}
    content = TimedTogether(latencies=record, not_timed=refused).model_dump(mode="json")
    write_json(run / "latency/latencies.json", content)
    (run / "latency/manifest.json").write_bytes(manifest(1.0).content())
    files = build_report(run, SETTINGS, (*BESIDE, "latency"))
    searched, *bases, student = table(files)
    assert float(searched["seconds_per_image"]) == pytest.approx(0.007)
    assert float(searched["upper_quartile"]) == pytest.approx(0.008)
    assert [float(row["seconds_per_image"]) for row in bases] == pytest.approx([0.008, 0.008])
    assert student["seconds_per_image"] == student["lower_quartile"] == ""
    upgraded = list(DictReader(StringIO(files["tables/joint_upgrade.csv"].decode())))
    assert float(upgraded[0]["images_per_second"]) == pytest.approx(125)
    assert upgraded[2]["images_per_second"] == ""
    page = files["report.html"].decode()
    assert "of 3 runs, one image at a time" in page and "by onnxruntime on a &lt;CPU&gt;" in page
    assert "<b>7.0 ms</b><span>per image</span>" in page
    assert ">times of the detectors</td>" in page


def test_quartiles_stand_below_their_value_and_in_columns_of_the_file() -> None:
    table = Table(
        "times",
        (
            Column("detector", "name"),
            Column("per image", "median", "seconds", spread=("low", "high")),
            Column("low", "low", "seconds"),
            Column("high", "high", "seconds"),
        ),
        [("a", 0.013, 0.012, 0.014), ("b", 0.02, None, None)],
    )
    page = table.html()
    assert "13 ms<small>12 ms to 14 ms</small></td></tr>" in page
    assert '<td class="number">20 ms</td></tr>' in page, "one without quartiles has none"
    assert page.count("<th ") == 2
    assert table.csv().decode().splitlines()[:2] == ["name,median,low,high", "a,0.013,0.012,0.014"]
