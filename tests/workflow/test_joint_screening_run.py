"""The whole workflow with all three components screened at once."""

import json

import pytest
from workflow_project import copy_project

from pipeline.artifacts.manifest import Manifest, verify

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

KEEP = {"backbone": 3, "neck": 2, "head": 2}


def test_a_joint_screening_feeds_search_and_report(tmp_path):
    project = copy_project(tmp_path)
    project.edit("config/test.yaml", "\nscreening:\n", "\nscreening:\n  joint: true\n")
    project.edit("config/test.yaml", "run:\n", "run:\n  methods: [hit_detector]\n")
    result = project.snakemake("results/test/report.html")
    assert result.returncode == 0, result.stdout[-6000:]
    folder = project.results / "hit_detector/screening"
    assert verify(folder / "joint") == []
    for component, kept in KEEP.items():
        assert verify(folder / component) == []
        space = json.loads((folder / component / "sub_search_space.json").read_text())
        assert space == json.loads((folder / "joint" / f"{component}.json").read_text())
        assert len(space["kept"]) == kept
        manifest = Manifest.load(folder / component / "manifest.json")
        assert [entry.path for entry in manifest.inputs.values()] == [
            "hit_detector/screening/joint/manifest.json"
        ]
    assert (project.results / "report.html").exists()
    assert project.stale("results/test/report.html") == {}
