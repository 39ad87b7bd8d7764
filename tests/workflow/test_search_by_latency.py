"""Hit-Detector's search with milliseconds as the cost of Eq. 7: the chain up to the derived architecture."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from workflow_project import copy_project

from pipeline.artifacts.files import read_json
from pipeline.hit_detector.operation_times import OperationTimes

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

TARGET = "results/test/hit_detector/manifest.json"


def test_a_search_counts_measured_time(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    project.edit("config/test.yaml", "\nsearch:\n", "\nsearch:\n  cost: latency\n")
    result = project.snakemake(TARGET)
    assert result.returncode == 0, result.stdout[-6000:]
    place = project.results / "hit_detector"
    times = OperationTimes.load(place / "operation_times")
    assert times.runtime == "onnxruntime" and times.rounds == 2 * 2

    scores = read_json(place / "search/scores.json")
    found = {component: content["layers"] for component, content in scores["components"].items()}
    # the head's layers stand in one place: their candidates' times are lines of the table
    medians = {float(np.float32(each.median)) for each in times.operations}
    assert all(set(layer["milliseconds"]) <= medians for layer in found["head"])
    last = read_json(place / "search/history.json")["records"][-1]
    least, most = (
        sum(of(layer["milliseconds"]) for layers in found.values() for layer in layers)
        for of in (min, max)
    )
    assert least < last["expected_milliseconds"] < most and last["expected_gmacs"] > 0

    # given what was measured, the search is a function of its seed
    assert project.stale(TARGET) == {}
    before = (place / "search/scores.json").read_bytes()
    shutil.rmtree(place / "search")
    result = project.snakemake("results/test/hit_detector/search/manifest.json")
    assert result.returncode == 0, result.stdout[-6000:]
    assert "measure_operations" not in result.stdout
    assert (place / "search/scores.json").read_bytes() == before

    # another machine's times are other ones
    again = project.stale(TARGET, "-R", "measure_operations")
    assert again == {"measure_operations": 1, "search": 1, "derive": 1}

    # with the cost counted in MACs nothing is measured
    project.edit("config/test.yaml", "  cost: latency\n", "")
    assert project.stale(TARGET) == {"search": 1, "derive": 1}
