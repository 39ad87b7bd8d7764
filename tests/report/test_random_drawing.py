"""The drawing `hit_random` from evaluations of made-up networks."""

import csv
import io

import pytest
from made_up_metrics import metrics

from pipeline.artifacts.files import write_json
from pipeline.drawings.hit_detector import DRAWINGS
from pipeline.errors import DetSearchError
from pipeline.report.random_study import STUDY

APS = {"searched": 0.5, "random_0": 0.4, "random_1": 0.41, "plain": 0.49}


def drawn(folder, aps):
    given = {}
    for name, ap in aps.items():
        for seed in range(2):
            path = folder / f"{name}.{seed}"
            content = metrics(ap and ap + seed / 1000).model_dump(mode="json")
            write_json(path / "metrics.json", content)
            given[path.name] = path
    return DRAWINGS["hit_random"]("hit_random", {}, {}, {"detectors": given})


def test_each_network_has_its_seeds(tmp_path):
    result = drawn(tmp_path, APS)
    rows = list(csv.DictReader(io.StringIO(result.table.csv().decode())))
    assert [(row["model"], row["networks"], row["seeds"]) for row in rows] == [
        ("searched", "1", "2"),
        ("random", "2", "2"),
        ("plain", "1", "2"),
    ]
    assert float(rows[1]["AP"]) == pytest.approx(0.4055)
    assert set(result.files("hit_random")) == {"hit_random.csv", "hit_random.svg", STUDY}


def test_a_detector_without_ap_is_named(tmp_path):
    with pytest.raises(DetSearchError, match="plain has no AP"):
        drawn(tmp_path, {**APS, "plain": None})
