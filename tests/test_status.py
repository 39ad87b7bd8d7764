"""The state of each stage, told from what lies on disk alone."""

import shutil
from pathlib import Path

import pytest

from pipeline.artifacts.jobs import Job, write_jobs
from pipeline.artifacts.lock import LOCK, Holder, locked
from pipeline.artifacts.manifest import Origin
from pipeline.artifacts.publish import publish
from pipeline.status import main, read_status

PACE = "10:21:07 search: epoch 5, 800/1120, 0.194 s/it, 62 s left: loss 0.98"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run of one stage in each state but failed."""
    jobs = [
        Job(name, f"logs/{name}.log", f"{name}/manifest.json")
        for name in ("data", "search", "train", "evaluate")
    ]
    write_jobs(tmp_path, jobs)
    origin = Origin(stage="data", config={}, code=None, inputs={}, seed=0)
    publish(tmp_path / "data", {"index.txt": b"1"}, origin, device="cpu", wall_seconds=83.4)
    log(tmp_path, "search", PACE, "a warning of some library")
    log(tmp_path, "train", "detector: stopped by signal at iteration 40; run again")
    return tmp_path


def log(results: Path, name: str, *lines: str) -> None:
    (results / "logs" / f"{name}.log").write_text("\n".join(lines) + "\n\n")


def states(results: Path) -> dict[str, str]:
    return {stage.name: stage.state for stage in read_status(results)}


def test_each_stage_is_told_from_its_files(results: Path) -> None:
    with locked(results / "search"):
        data, search, train, evaluate = read_status(results)
    assert (data.state, data.lines) == ("done", ("0:01:23 on cpu",))
    assert search.state == "running"
    assert search.lines[0].startswith("epoch 5, step 800 of 1120, 0:01:02 left, process ")
    assert train.state == "stopped"
    assert (evaluate.state, evaluate.lines) == ("waiting", ())


def test_a_stage_whose_process_died_has_failed(results: Path) -> None:
    dead = Holder.this_process().model_copy(update={"process_started": 1.0})
    (results / "search").mkdir()
    (results / "search" / LOCK).write_text(dead.model_dump_json())
    assert states(results)["search"] == "failed"


def test_a_failed_stage_shows_the_end_of_its_log(results: Path, capsys) -> None:
    log(results, "evaluate", *(f"line {k}" for k in range(9)), "evaluate: weights are missing")
    with pytest.raises(SystemExit) as end:
        main([str(results)])
    printed = capsys.readouterr().out
    assert end.value.code == 1
    assert "line 5" not in printed
    assert [line.strip() for line in printed.splitlines()][-2:] == [
        "evaluate: weights are missing",
        "4 stages: 1 done, 1 stopped, 2 failed",
    ]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"jobs\.json"):
        main([str(tmp_path)])


def test_a_lock_that_cannot_be_read_is_said_of_its_stage(results: Path) -> None:
    (results / "search" / LOCK).mkdir(parents=True)
    search = read_status(results)[1]
    assert search.state == "failed"
    assert "cannot be read" in search.lines[0]


def test_what_an_earlier_driver_started_stays_whatever_target_ran_last(results: Path) -> None:
    """Each driver knows of its own target only; what has left nothing is dropped."""
    write_jobs(results, [Job("evaluate", "logs/evaluate.log", "evaluate/manifest.json")])
    write_jobs(results, [Job("data", "logs/data.log", "data/manifest.json")])
    assert states(results) == {"data": "done", "search": "failed", "train": "stopped"}


def test_a_run_without_its_logs_tells_what_it_published(results: Path) -> None:
    shutil.rmtree(results / "logs")
    assert states(results) == {"data": "done"}
    (results / "data/manifest.json").write_text("{}")
    assert states(results) == {"data": "failed"}


def test_a_log_that_is_no_file_is_said_of_its_stage(results: Path) -> None:
    (results / "logs/search.log").unlink()
    (results / "logs/search.log").mkdir()
    assert read_status(results)[1].lines[-1] == f"{results}/logs/search.log is no file"
