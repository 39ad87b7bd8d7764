"""The whole workflow with sub search spaces that the config states, and the ground truth of such spaces."""

import csv
import json

import pytest
from workflow_project import copy_project

from pipeline.artifacts.manifest import Manifest, verify

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

SPACES = {
    "backbone": ["conv_k3_d1", "sep_k5_d1"],
    "neck": ["ir_k3_d1_e1", "sep_k3_d1", "conv_k3_d1"],
    "head": ["sep_k3_d2", "conv_k3_d1"],
}


def test_stated_spaces_are_searched_without_a_screening_and_have_a_ground_truth(tmp_path):
    project = copy_project(tmp_path)
    stated = f"\nscreening:\n  spaces: {json.dumps(SPACES)}\n"
    project.edit("config/test.yaml", "\nscreening:\n", stated)
    project.edit("config/test.yaml", "  keep: {backbone: 3, neck: 2, head: 2}\n", "")
    project.edit("config/test.yaml", "\nreport:\n", "\nreport:\n  joint_detnas: false\n")
    study = "\nablations:\n  ground_truth: {networks: 2, again: 1}\n"
    project.edit("config/test.yaml", "\nablations:\n", study)
    result = project.snakemake("results/test/report.html", "hit_ground_truth")
    assert result.returncode == 0, result.stdout[-6000:]
    hit = project.results / "hit_detector"
    assert not (hit / "screening/supernet").exists()
    scores = json.loads((hit / "search/scores.json").read_text())["components"]
    for component, operations in SPACES.items():
        assert verify(hit / "screening" / component) == []
        assert scores[component]["operations"] == operations
    page = (project.results / "report.html").read_text()
    assert "screened" not in page.lower() or "Screening" not in page

    table = project.results / "tables/hit_ground_truth/hit_ground_truth.csv"
    rows = list(csv.DictReader(table.open()))
    assert [(row["network"], row["seed"]) for row in rows] == [("0", "0"), ("1", "0"), ("0", "1")]
    for row in rows:
        again = f"again/1/ablations/ground_truth/{row['network']}"
        folder = again if row["seed"] == "1" else f"ground_truth/{row['network']}"
        evaluation = Manifest.load(
            project.results / "ablations" / folder / "evaluation/manifest.json"
        )
        assert row["version"] == evaluation.version
        for component, operations in SPACES.items():
            assert set(row[component].split()) <= set(operations)
    assert rows[0]["backbone"] == rows[2]["backbone"] and rows[0]["macs"] == rows[2]["macs"]
    assert project.stale("results/test/report.html", "hit_ground_truth") == {}
