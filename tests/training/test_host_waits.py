"""On a GPU reading a tensor's value waits for all that was computed before: no step does that for the log.

A CPU never waits, so the readings themselves are counted here. mmdet's own (assigners, samplers, NMS) are
left out, and what a drawn path needs: the host must know which one to run.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from test_task import TRAININGS, make_training
from training_process import write_data

import pipeline
from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.supernet.choice import choice_layers
from pipeline.training.loop import run_loop

OURS = str(Path(pipeline.__path__[0]))
READINGS = (
    "item",
    "tolist",
    "cpu",
    "numpy",
    "nonzero",
    "__float__",
    "__int__",
    "__bool__",
    "__index__",
)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often our code read a tensor's value, by the place that did."""
    counted: Counter[str] = Counter()

    def watch(name: str) -> None:
        original = getattr(torch.Tensor, name)

        def reading(self: torch.Tensor, *arguments: Any, **options: Any) -> Any:
            caller = sys._getframe(1)
            if caller.f_code.co_filename.startswith(OURS):
                counted[f"{Path(caller.f_code.co_filename).name}: {name}"] += 1
            return original(self, *arguments, **options)

        monkeypatch.setattr(torch.Tensor, name, reading)

    for name in READINGS:
        watch(name)
    return counted


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.mark.parametrize("name", TRAININGS)
def test_a_step_reads_no_value(
    name: str, data: Path, tmp_path: Path, readings: Counter[str]
) -> None:
    torch.manual_seed(0)
    task = make_training(name, data)
    for layer in choice_layers(task.model).values():
        layer.paths = None
    task.start(0)
    # where candidates are removed after a step, their scores are read
    for removal in getattr(task, "removals", {}).values():
        removal.keep = removal.candidates
    batch = task.fetch(0)
    readings.clear()
    record = task.step(0, batch)
    assert not readings
    assert isinstance(record["loss"], torch.Tensor)
    # planted: a reading of ours is seen
    loss = record["loss"]
    exec(compile("float(loss)", f"{OURS}/planted.py", "exec"), {"loss": loss})
    assert readings == {"planted.py: __float__": 1}


def test_the_log_s_numbers_are_read_when_a_line_is_due(
    data: Path, tmp_path: Path, readings: Counter[str]
) -> None:
    torch.manual_seed(0)
    task = make_training("student", data)
    task.iterations, task.epoch_length = 6, 100
    work = WorkFolder(tmp_path / "work", "sha256:" + "0" * 64)
    readings.clear()
    history = run_loop(task, work, seed=1, title="x", log_interval=3, checkpoint_seconds=1e9)
    assert [record["iteration"] for record in history] == [3, 6]
    # all numbers of a type at once, twice
    assert readings["loop.py: tolist"] == 2
    assert sum(readings.values()) == 2
