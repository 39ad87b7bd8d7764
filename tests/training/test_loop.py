"""The training loop: an interrupted training, run again, is the uninterrupted one, bit for bit."""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.config.optimization import Optimizer, Training
from pipeline.environment import DEADLINE
from pipeline.errors import DetSearchError
from pipeline.training.loop import DivergedError, Interrupted, Numbers, Record, run_loop
from pipeline.training.stream import BatchStream
from pipeline.training.task import Pass, TrainingTask

ITERATIONS, EPOCH = 15, 5


class _Task(TrainingTask[Training]):
    """A small regression with everything that could be forgotten: BN, dropout, an optimiser's state."""

    def __init__(self, settings: Optimizer, event: Callable[[int], None] = lambda iteration: None):
        torch.manual_seed(0)
        self.event = event
        model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
        generator = torch.Generator().manual_seed(1)
        stream = BatchStream(list(torch.randn(11, 3, generator=generator)), 2, seed=2)
        super().__init__(model, Training(epochs=3, optimizer=settings), stream, model.parameters())
        assert (self.iterations, self.epoch_length) == (ITERATIONS, EPOCH)

    def passes(self, iteration: int, batch: Any) -> list[Pass]:
        return [lambda: self._regress(batch)]

    def _regress(self, batch: Tensor) -> tuple[Tensor, Numbers]:
        noisy = batch + 0.1 * torch.randn(batch.shape)
        loss = (self.model(noisy) - batch.sum(1, keepdim=True)).square().mean()
        return loss, {"loss": loss.detach()}

    def step(self, iteration: int, data: Any) -> dict[str, Tensor | float]:
        record = super().step(iteration, data)
        self.event(iteration)
        return record

    def end_epoch(self, epoch: int) -> Record:
        return {"norm": float(sum(p.detach().norm() for p in self.model.parameters()))}


def _run(task: Any, folder: Path, checkpoint_seconds: float = 1e-9, **options: Any) -> list[Record]:
    work = WorkFolder(folder, "sha256:" + "0" * 64)
    settings = {"seed": 3, "title": "toy", "log_interval": 4} | options
    return run_loop(task, work, checkpoint_seconds=checkpoint_seconds, **settings)


def _assert_same_weights(first: _Task, second: _Task) -> None:
    for name, value in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value), name


OPTIMIZERS = [
    Optimizer(lr=0.02, momentum=0.9, clip_norm=1.0),
    Optimizer(type="adamw", lr=0.05, warmup_iterations=4),
]


class _Crash(Exception):
    pass


def _at(when: int, action: Callable[[], None]) -> Callable[[int], None]:
    def event(iteration: int) -> None:
        if iteration == when:
            action()

    return event


def _crash() -> None:
    raise _Crash


@pytest.mark.parametrize("settings", OPTIMIZERS, ids=["momentum", "adamw"])
@pytest.mark.parametrize("when", [0, 2, 6, 9, 14])
def test_resuming_after_a_crash_changes_nothing(
    settings: Optimizer, when: int, tmp_path: Path
) -> None:
    whole = _Task(settings)
    expected = _run(whole, tmp_path / "whole")
    with pytest.raises(_Crash):
        _run(_Task(settings, _at(when, _crash)), tmp_path / "broken")
    # another state of the world, which the resumed run must not depend on
    torch.manual_seed(99)
    resumed = _Task(settings)
    began: list[int] = []
    start = resumed.start
    resumed.start = lambda iteration: (began.append(iteration), start(iteration))[1]  # type: ignore[method-assign]
    assert _run(resumed, tmp_path / "broken") == expected
    assert began == [when]
    _assert_same_weights(whole, resumed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_stops_with_a_committed_checkpoint(number: int, tmp_path: Path) -> None:
    whole = _Task(OPTIMIZERS[0])
    expected = _run(whole, tmp_path / "whole", 1e9)
    before = signal.getsignal(number)
    stopped = _Task(OPTIMIZERS[0], _at(7, lambda: os.kill(os.getpid(), number)))
    with pytest.raises(Interrupted, match="stopped by signal at iteration 8"):
        _run(stopped, tmp_path / "broken", 1e9)
    assert signal.getsignal(number) is before
    checkpoint = WorkFolder(tmp_path / "broken", "sha256:" + "0" * 64).load_latest()
    assert checkpoint is not None and checkpoint.step == 8
    for name, value in stopped.model.state_dict().items():
        assert torch.equal(checkpoint.state["task"]["model"][name], value), name
    resumed = _Task(OPTIMIZERS[0])
    assert _run(resumed, tmp_path / "broken", 1e9) == expected
    _assert_same_weights(whole, resumed)


def test_before_the_jobs_time_limit_it_stops_with_a_checkpoint_and_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _Task(OPTIMIZERS[0])
    expected = _run(whole, tmp_path / "whole")
    monkeypatch.setenv(DEADLINE, f"{time.time() + 3600:.0f}")
    late = _Task(OPTIMIZERS[0], _at(5, lambda: monkeypatch.setattr(time, "time", lambda: 1e11)))
    with pytest.raises(Interrupted, match="before the job's time limit at iteration 6"):
        _run(late, tmp_path / "limited", checkpoint_seconds=1e9)
    monkeypatch.undo()
    rest = _Task(OPTIMIZERS[0])
    assert _run(rest, tmp_path / "limited") == expected
    _assert_same_weights(whole, rest)


@pytest.mark.parametrize("when", [9, ITERATIONS - 1])
def test_a_signal_before_a_validation_stops_before_it(when: int, tmp_path: Path) -> None:
    """A validation may take longer than a scheduler waits; the next run begins with it."""
    expected = _run(_Task(OPTIMIZERS[0]), tmp_path / "whole", 1e9)
    stopped = _Task(OPTIMIZERS[0], _at(when, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    validated: list[int] = []
    stopped.end_epoch = lambda epoch: validated.append(epoch) or {}  # type: ignore[method-assign]
    with pytest.raises(Interrupted, match=f"at iteration {when + 1}"):
        _run(stopped, tmp_path / "broken", 1e9)
    assert (when + 1) // EPOCH not in validated
    steps: list[int] = []
    resumed = _Task(OPTIMIZERS[0], steps.append)
    history = _run(resumed, tmp_path / "broken", 1e9)
    assert steps == list(range(when + 1, ITERATIONS))
    assert [r for r in history if r["epoch"] * EPOCH > when] == [
        r for r in expected if r["epoch"] * EPOCH > when
    ]


def test_a_crash_in_a_validation_loses_no_step(tmp_path: Path) -> None:
    expected = _run(_Task(OPTIMIZERS[0]), tmp_path / "whole")
    broken = _Task(OPTIMIZERS[0])
    end_epoch = broken.end_epoch
    broken.end_epoch = lambda epoch: _crash() if epoch == 2 else end_epoch(epoch)  # type: ignore
    with pytest.raises(_Crash):
        _run(broken, tmp_path / "broken")
    steps: list[int] = []
    assert _run(_Task(OPTIMIZERS[0], steps.append), tmp_path / "broken") == expected
    assert steps == list(range(2 * EPOCH, ITERATIONS))


LOADING = """
import os, signal, sys, time
from pathlib import Path
from test_loop import OPTIMIZERS, Interrupted, _Task, _at, _run

def everybody():
    os.killpg(os.getpgrp(), signal.SIGTERM)
    time.sleep(1)

task = _Task(OPTIMIZERS[0], _at(7, everybody))
task.stream.workers = 1
try:
    _run(task, Path(sys.argv[1]), 1e9)
except Interrupted as stop:
    sys.exit(75 if "iteration 8" in str(stop) else 1)
"""


def test_a_signal_to_all_processes_of_a_job_leaves_the_loading_ones_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOADING, str(tmp_path)]
    here = Path(__file__).parent
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": f"{here}:{here.parents[1]}"},
        start_new_session=True,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 75, done.stderr[-2000:]


def test_the_history_holds_means_over_intervals_and_the_epochs_own_numbers(tmp_path: Path) -> None:
    task = _Task(OPTIMIZERS[0])
    losses: list[float] = []
    step = task.step

    def noting(iteration: int, data: Any) -> Any:
        numbers = step(iteration, data)
        losses.append(float(numbers["loss"]))
        return numbers

    task.step = noting  # type: ignore[method-assign]
    history = _run(task, tmp_path)
    assert [(record["epoch"], record["iteration"], "norm" in record) for record in history] == [
        (1, 4, False),
        (1, 5, True),
        (2, 8, False),
        (2, 10, True),
        (3, 12, False),
        # the last interval is a short one
        (3, 15, False),
        (3, 15, True),
    ]
    means = [record["loss"] for record in history if "loss" in record]
    parts = (losses[:4], losses[4:8], losses[8:12], losses[12:])
    assert means == pytest.approx([sum(part) / len(part) for part in parts])
    assert len(losses) == ITERATIONS


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training(value: float, tmp_path: Path) -> None:
    task = _Task(OPTIMIZERS[0])
    step = task.step
    task.step = lambda i, data: step(i, data) | ({"loss": value} if i == 6 else {})  # type: ignore[method-assign]
    with pytest.raises(DivergedError, match=rf"toy: the loss is {value} at iteration 6"):
        _run(task, tmp_path)
    # what is on disk is from before
    checkpoint = WorkFolder(tmp_path, "sha256:" + "0" * 64).load_latest()
    assert checkpoint is not None and checkpoint.step == 6


def test_the_seed_of_the_run_decides_the_draws(tmp_path: Path) -> None:
    histories = [
        _run(_Task(OPTIMIZERS[0]), tmp_path / f"{n}", seed=seed) for n, seed in enumerate((3, 3, 4))
    ]
    assert histories[0] == histories[1] != histories[2]


def test_curves_are_written_for_tensorboard(tmp_path: Path) -> None:
    _run(_Task(OPTIMIZERS[0]), tmp_path)
    events = list(tmp_path.glob("v_*/tensorboard/events*"))
    assert len(events) == 1 and events[0].stat().st_size > 500


def test_a_checkpoint_without_what_the_task_needs_is_a_sentence(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path, "sha256:" + "0" * 64)
    work.save({"task": {"other": 1}}, 3)
    with pytest.raises(DetSearchError, match=r"step 3 in .* is not one of this training"):
        _run(_Task(OPTIMIZERS[0]), tmp_path)


def test_a_work_folder_that_was_deleted_stops_no_training(tmp_path: Path) -> None:
    undisturbed, deleted = tmp_path / "undisturbed", tmp_path / "deleted"
    records = _run(_Task(OPTIMIZERS[0]), undisturbed)
    task = _Task(OPTIMIZERS[0], _at(7, lambda: shutil.rmtree(deleted)))
    assert _run(task, deleted) == records
    assert WorkFolder(deleted, "sha256:" + "0" * 64).load_latest() is not None
