"""A run with another seed beside a finished one: what it shares, and what it computes."""

import pytest
from workflow_project import Project

from pipeline.seeds import seed_config, share_data

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def test_another_seed_takes_the_data_as_they_are_and_computes_all_else(finished: Project) -> None:
    name = "test_seed_1"
    own = seed_config(finished.results / "seeds", name, 1)
    share_data(finished.results / "data", finished.results.with_name(name) / "data")
    jobs = finished.stale("--configfile", "config/test.yaml", str(own))
    assert "prepare_detection_data" not in jobs and "prepare_classification_data" not in jobs
    assert jobs["search"] == jobs["train_student"] == jobs["draw_report"] == 1
    assert finished.stale() == {}, "the first run is as it was"
