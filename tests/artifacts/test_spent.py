"""A stage that is continued has spent what all its jobs spent, each with its own number of GPUs."""

import time
from pathlib import Path

import pytest

from pipeline.artifacts.spent import Spent

HOUR = 3600.0


def job(work: Path, devices: int, hours: float) -> Spent:
    """The clock of a job that has run for some hours."""
    spent = Spent.of(work, devices)
    spent.began = time.monotonic() - hours * HOUR
    return spent


def test_jobs_add_up(tmp_path: Path) -> None:
    job(tmp_path, 8, 12).save()
    seconds, gpu_hours = job(tmp_path, 4, 2).until_now()
    assert seconds == pytest.approx(14 * HOUR, abs=5)
    assert gpu_hours == pytest.approx(8 * 12 + 4 * 2, abs=0.1)


def test_a_second_checkpoint_of_a_job_counts_it_once(tmp_path: Path) -> None:
    first = job(tmp_path, 1, 1)
    first.save()
    first.save()
    assert Spent.of(tmp_path, 1).wall_seconds == pytest.approx(HOUR, abs=5)


def test_on_the_cpu_there_are_no_gpu_hours(tmp_path: Path) -> None:
    assert job(tmp_path, 0, 3).until_now()[1] == 0
