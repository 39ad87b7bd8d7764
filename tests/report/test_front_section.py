"""The report's section on the front: who dominates whom, over time or MACs, in drawing and table."""

import csv
import io
from pathlib import Path

import pytest
from made_up_metrics import manifest
from synthetic_run import make_run

from pipeline.artifacts.files import write_json
from pipeline.config.evaluation import ReportConfig
from pipeline.deploy.latency import Latencies, summary
from pipeline.deploy.together import TimedTogether
from pipeline.front.table import Accuracy, Front, Row, compared
from pipeline.report.page import build_report
from pipeline.teacher_pool.space import Subnet

SETTINGS = ReportConfig(example_images=1)
SUBNET = Subnet(
    depths=(1, 1, 1, 1), widths=(1.0, 1.0, 1.0, 1.0), neck_width=1.0, resolution=(96, 128)
)
NAMES = {"s0": (0.16, 3.7), "s1": (0.25, 6.6), "base": (0.41, 5.4), "<upgrade>": (0.9, None)}
"""AP on both splits, and milliseconds; a name with a digit is a subnet of the pool."""


def made(*, timed: bool) -> Front:
    rows = [
        Row(
            name=name,
            kind="subnet" if name[1:].isdigit() else "stock",
            subnet=SUBNET if name[1:].isdigit() else None,
            resolution=(96, 128),
            val=Accuracy(ap=ap, ap50=ap),
            test=Accuracy(ap=ap, ap50=ap + 0.05),
            val_without=(),
            params=1000,
            macs=round(1e6 * (ms or 9)),
            latency=summary(name, [(ms + k) / 1e3 for k in (-1, 0, 1)]) if timed and ms else None,
            not_timed="no such operator" if timed and not ms else None,
        )
        for name, (ap, ms) in NAMES.items()
    ]
    record = Latencies(
        runtime="onnxruntime",
        device="a <CPU>",
        threads=1,
        images=1,
        rounds=3,
        warm_up=0,
        seed=0,
        packages={"onnxruntime": "1.2"},
        models=tuple(row.latency for row in rows if row.latency),
    )
    return Front(
        split="test",
        evaluated=9,
        predictor_error=0.0266,
        latencies=record if timed else None,
        rows=compared(rows),
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("front") / "run")
    (folder / "front").mkdir()
    (folder / "front/manifest.json").write_bytes(manifest(1.0).content())
    return folder


def test_a_timed_front_is_drawn_over_time_and_says_who_dominates(run: Path) -> None:
    write_json(run / "front/front.json", made(timed=True).model_dump(mode="json"))
    files = build_report(run, SETTINGS, ["front"])
    page = files["report.html"].decode()
    assert "9 subnets of the teacher pool evaluated, 2 of them in the front." in page
    assert "at no more cost and with no less AP: 1 of 2." in page
    assert "on a &lt;CPU&gt; with 1 thread" in page and "less than 2.7 %" in page
    drawn = files["figures/front.svg"].decode()
    assert 'aria-label="s0: AP 16.0 %, 3.70 ms"' in drawn
    assert 'aria-label="s1: AP 25.0 %, 6.60 ms, dominated by base"' in drawn
    assert drawn.count("kind-subnet-dominated") == drawn.count("kind-stock") == 1
    assert "upgrade" not in drawn, "without a time it has no place"
    assert "milliseconds an image" in drawn
    rows = list(csv.DictReader(io.StringIO(files["tables/front.csv"].decode())))
    assert [row["name"] for row in rows] == ["s0", "s1", "<upgrade>", "base"]
    assert rows[1]["dominated_by"] == "base" and rows[2]["seconds_per_image"] == ""
    assert float(rows[0]["seconds_per_image"]) == pytest.approx(0.0037)
    assert float(rows[0]["lower_quartile"]) == pytest.approx(0.0032)
    assert float(rows[0]["AP50"]) == pytest.approx(0.21)
    assert "3.7 ms<small>3.2 ms to 4.2 ms</small>" in page
    assert "96 × 128" in page and "&lt;upgrade&gt;" in page


def test_the_front_s_best_subnet_on_val_stands_among_the_results(run: Path) -> None:
    rows = [
        row.model_copy(update={"test": row.test.model_copy(update={"ap": 1 - row.test.ap})})
        for row in made(timed=True).rows
        if row.test
    ]
    front = made(timed=True).model_copy(update={"rows": tuple(rows)})
    write_json(run / "front/front.json", front.model_dump(mode="json"))
    files = build_report(run, SETTINGS, ["front"])
    results = list(csv.DictReader(io.StringIO(files["tables/results.csv"].decode())))
    assert [row["detector"] for row in results] == ["searched (Hit-Detector)", "front: s1"]
    assert float(results[1]["AP"]) == pytest.approx(0.75), "s0 has more on test, and less on val"
    assert results[1]["seconds_per_image"] == "", "the others were not timed in this way"
    assert float(results[1]["stage_seconds"]) == 1.0
    page = files["report.html"].decode()
    assert "the best on the validation images has an AP of 75.0 % with 6.60 M MACs" in page
    assert files["figures/results.svg"].decode().count("kind-front") == 2

    assert front.latencies is not None
    record = front.latencies.model_copy(update={"models": (summary("hit_detector", [0.01] * 3),)})
    content = TimedTogether(latencies=record, not_timed={}).model_dump(mode="json")
    write_json(run / "latency/latencies.json", content)
    (run / "latency/manifest.json").write_bytes(manifest(1.0).content())
    files = build_report(run, SETTINGS, ["front", "latency"])
    results = list(csv.DictReader(io.StringIO(files["tables/results.csv"].decode())))
    times = [float(row["seconds_per_image"]) for row in results]
    assert times == pytest.approx([0.010, 0.0066])
    assert "at another time" in files["report.html"].decode()


def test_a_front_without_times_is_drawn_over_computation(run: Path) -> None:
    write_json(run / "front/front.json", made(timed=False).model_dump(mode="json"))
    files = build_report(run, SETTINGS, ["front"])
    drawn = files["figures/front.svg"].decode()
    assert "MMACs" in drawn and "&lt;upgrade&gt;: AP 90.0 %, 9.00 M MACs" in drawn
    assert "seconds_per_image" not in files["tables/front.csv"].decode()


def test_the_front_is_shown_where_it_is_asked_for(run: Path) -> None:
    files = build_report(run, SETTINGS)
    assert "figures/front.svg" not in files and 'id="front"' not in files["report.html"].decode()
