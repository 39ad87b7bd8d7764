"""A second run of the same config leaves the same bits."""

import pytest
from workflow_project import Project, copy_project

from pipeline.artifacts.manifest import Manifest

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]

MEASURED = {"speed.json", "latencies.json"}


def test_a_second_run_gives_the_same_bits(finished: Project, tmp_path):
    other = copy_project(tmp_path)
    result = other.snakemake("hit_detector")
    assert result.returncode == 0, result.stdout[-6000:]
    compared = 0
    made = {path.parent.relative_to(other.results) for path in other.results.rglob("manifest.json")}
    for name in made:
        files, again = (
            Manifest.load(run.results / name / "manifest.json").files for run in (finished, other)
        )
        assert files.keys() == again.keys()
        for file in files.keys() - MEASURED:
            assert files[file] == again[file], f"{name}/{file}"
            compared += 1
    assert compared > 70
