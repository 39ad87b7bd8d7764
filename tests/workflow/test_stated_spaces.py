"""The whole workflow with sub search spaces that the config states, and the ground truth of such spaces."""

import csv
import json
import sys

import pytest
from workflow_project import copy_project

from benchmarks import ranking
from pipeline.artifacts.manifest import Manifest, verify
from pipeline.search_space.architecture import Architecture

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

SPACES = {
    "backbone": ["conv_k3_d1", "sep_k5_d1"],
    "neck": ["ir_k3_d1_e1", "sep_k3_d1", "conv_k3_d1"],
    "head": ["sep_k3_d2", "conv_k3_d1"],
}


def test_stated_spaces_are_searched_without_a_screening_and_have_a_ground_truth(
    tmp_path, monkeypatch, capsys
):
    project = copy_project(tmp_path)
    stated = f"\nscreening:\n  spaces: {json.dumps(SPACES)}\n"
    project.edit("config/test.yaml", "\nscreening:\n", stated)
    project.edit("config/test.yaml", "  keep: {backbone: 3, neck: 2, head: 2}\n", "")
    project.edit("config/test.yaml", "run:\n", "run:\n  methods: [hit_detector]\n")
    study = "\nablations:\n  ground_truth: {networks: 2, again: 1}\n"
    project.edit("config/test.yaml", "\nablations:\n", study)
    # each one's training is the first of the two epochs of the searched detector's
    short = "pretraining_epochs: null, epochs: 1, schedule: beginning"
    finalists = f"{{networks: 3, {short}, chosen_by: dense_loss}}"
    project.edit("config/test.yaml", "  finalists: {networks: 1}\n", f"  finalists: {finalists}\n")
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

    # the searched architecture is the finalist with the lowest loss over all anchors in its short training
    reached = {}
    for number in range(3):
        finalist = hit / f"finalists/{number}"
        records = json.loads((finalist / "detector/history.json").read_text())["records"]
        assert max(record["epoch"] for record in records) == 1
        losses = {r["iteration"]: r["loss_rpn_cls"] for r in records if "loss" in r}
        # 6 steps, logged as often as the search's: records that end in the second half
        assert [*losses] == [2, 4, 6]
        reached[number] = (losses[4] + losses[6]) / 2
    best = min(reached, key=lambda number: (reached[number], number))
    assert json.loads((hit / "finalists.json").read_text())["chosen"] == best
    chosen = Architecture.load(hit / "architecture.json")
    assert chosen == Architecture.load(hit / f"finalists/{best}/architecture.json")
    assert Architecture.load(hit / "detector/architecture.json") == chosen
    assert f"number {best} had the lowest classification loss over all anchors" in page
    # the searched detector's training begins with the finalist's, to the last bit
    weights = [
        (folder / "pretraining/weights.safetensors").read_bytes()
        for folder in (hit, hit / f"finalists/{best}")
    ]
    assert weights[0] == weights[1]
    whole, beginning = (
        json.loads((folder / "detector/history.json").read_text())["records"]
        for folder in (hit, hit / f"finalists/{best}")
    )
    assert beginning == [record for record in whole if record["epoch"] == 1] != whole
    # the length of their trainings makes those stale, and what follows if another one wins
    for changed in (
        finalists.replace(" epochs: 1", " epochs: 2"),
        finalists.replace("beginning", "own"),
    ):
        project.edit("config/test.yaml", finalists, changed)
        stale = project.stale("results/test/hit_detector/architecture.json")
        assert stale == {"train_detector": 3, "choose_finalist": 1}
        project.edit("config/test.yaml", changed, finalists)
    longer = finalists.replace("null", "2")
    project.edit("config/test.yaml", finalists, longer)
    stale = project.stale("results/test/hit_detector/architecture.json")
    assert stale == {"pretrain_backbone": 3, "train_detector": 3, "choose_finalist": 1}
    project.edit("config/test.yaml", longer, finalists)

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

    # what ranks them: of two networks every ranking is right or wrong
    monkeypatch.setattr(
        sys,
        "argv",
        ["ranking", str(project.results), "--images", "4", "--recalibration", "1", "--ap"],
    )
    ranking.main()
    lines = capsys.readouterr().out.splitlines()
    taus = {
        cells[1].strip(): cells[2].strip() for line in lines if len(cells := line.split("|")) > 3
    }
    assert {"alpha", "one-shot loss", "one-shot AP", "gradient norm", "parameters"} < set(taus)
    means = {row["network"]: [] for row in rows}
    for row in rows:
        means[row["network"]].append(float(row["AP"]))
    better = sum(means["0"]) / 2 - means["1"][0]
    costlier = int(rows[0]["macs"]) - int(rows[1]["macs"])
    assert taus["MACs"] == (
        "nan" if better == 0 else "1.000" if better * costlier > 0 else "-1.000"
    )
