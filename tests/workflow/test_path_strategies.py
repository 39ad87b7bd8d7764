"""The searches over paths in the workflow: one supernet for both, under a budget, and after kills."""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
from workflow_project import ROOT, Project, copy_project

from pipeline.artifacts.manifest import verify
from pipeline.detection.complexity import detector_complexity
from pipeline.search_space.architecture import Architecture

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

CONFIG = "config/test.yaml"
TARGET = "results/test/hit_detector/architecture.json"
DERIVED = {"search_paths": 1, "derive": 1}
KILLS = ROOT / "tests/faults/kill_stages.py"
SPACES = {
    "backbone": ["conv_k3_d1", "sep_k5_d1", "ir_k3_d1_e3"],
    "neck": ["conv_k3_d1", "sep_k3_d1"],
    "head": ["ir_k3_d1_e1", "conv_k3_d1"],
}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The smallest run that begins with the search: stated spaces, and no pretraining."""
    project = copy_project(tmp_path_factory.mktemp("strategies"))
    stated = f"\nscreening:\n  spaces: {json.dumps(SPACES)}\n"
    project.edit(CONFIG, "\nscreening:\n", stated)
    project.edit(CONFIG, "  keep: {backbone: 3, neck: 2, head: 2}\n", "")
    project.edit(CONFIG, "  classification:\n", "  classification:\n    source: none\n")
    shutil.copy(project.folder / CONFIG, project.folder / "plain.yaml")
    return project


def _set(project: Project, *lines: str) -> None:
    """Put keys at the top of the section `search`, in place of those of the call before."""
    shutil.copy(project.folder / "plain.yaml", project.folder / CONFIG)
    keys = "".join(f"  {line}\n" for line in lines)
    project.edit(CONFIG, "\nsearch:\n", f"\nsearch:\n{keys}")


def _made(project: Project) -> tuple[Architecture, int]:
    """The searched network and its MACs."""
    result = project.snakemake(TARGET)
    assert result.returncode == 0, result.stdout[-6000:]
    assert verify(project.results / "hit_detector/search") == []
    network = Architecture.load(project.folder / TARGET)
    return network, detector_complexity(network, 20).total.macs


def _scored(project: Project) -> Any:
    return json.loads((project.results / "hit_detector/search/paths.json").read_text())


def _operations(network: Architecture) -> list[str]:
    return [
        str(block.operation)
        for component in ("backbone", "neck", "head")
        for block in network.blocks(component).values()
    ]


def test_a_budget_holds_for_the_differentiable_search_and_is_refused_before_it(
    short: Project,
) -> None:
    _set(short, "max_gmacs: 0.00001")
    result = short.snakemake(TARGET)
    assert result.returncode != 0
    assert "no architecture keeps search.max_gmacs 1e-05: the cheapest has" in result.stdout
    assert not (short.results / "hit_detector").exists()

    _set(short)
    free, macs = _made(short)
    _set(short, f"max_gmacs: {0.98 * macs / 1e9!r}")
    assert short.stale(TARGET) == {"derive": 1}, "the search goes on as it was"
    tight, fewer = _made(short)
    assert fewer <= 0.98 * macs and _operations(tight) != _operations(free)


def test_strategies_share_a_supernet_keep_the_budget_and_survive_kills(short: Project) -> None:
    _set(short, "strategy: random")
    network, macs = _made(short)
    record = _scored(short)
    paths = record["paths"]
    best = max(paths, key=lambda path: path["score"])
    assert len(paths) == 8 and record["strategy"] == "random"
    assert (best["operations"], best["macs"]) == (_operations(network), macs)
    assert short.stale(TARGET) == {}

    # a budget that some of these paths keep
    budget = sorted(path["macs"] for path in paths)[3]
    _set(short, "strategy: evolution", f"max_gmacs: {budget / 1e9!r}")
    assert short.stale(TARGET) == DERIVED, "the supernet serves both"
    network, macs = _made(short)
    record = _scored(short)
    assert all(path["macs"] <= budget for path in record["paths"]) and macs <= budget
    assert [bool(path["parents"]) for path in record["paths"]] == [False] * 4 + [True] * 4
    best = max(record["paths"], key=lambda path: path["score"])
    assert best["operations"] == _operations(network)

    command = [sys.executable, str(KILLS), "--project", str(short.folder), "--moments", "2"]
    modules = os.pathsep.join([str(short.folder), str(ROOT / "tests/workflow")])
    killed = subprocess.run(
        [*command, "--first", "--stage", "train_one_shot", "search_paths"],
        env={**os.environ, "PYTHONPATH": modules, "OMP_NUM_THREADS": "1"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == 0, killed.stdout + killed.stderr
    lines = killed.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert "2 killed" in line and line.endswith("all equal") and " 0 resumed" not in line
