"""Two processes that share a batch take the steps of one process on the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training_process import write_data

from pipeline.config.hit_detector import SearchConfig
from pipeline.config.optimization import Optimizer
from pipeline.config.scaling import scaled
from pipeline.errors import DetSearchError

TASKS = ("classification", "screening", "search", "training", "shrinking")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where one process, and two, wrote what came of every task; they import the libraries once for all."""
    script = Path(__file__).with_name("training_process.py")
    launchers = ([], ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"])
    folders = (tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two"))
    for launcher, out in zip(launchers, folders, strict=True):
        done = subprocess.run(
            [sys.executable, *launcher, str(script), str(data), str(out), *TASKS],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
    return folders


@pytest.mark.slow
@pytest.mark.xdist_group("two_processes")
@pytest.mark.parametrize("task", TASKS)
def test_two_processes_take_the_steps_of_one(task: str, runs: tuple[Path, Path]) -> None:
    one, two = (json.loads((out / f"{task}.json").read_text()) for out in runs)
    steps = [[each for each in run["history"] if "loss" in each] for run in (one, two)]
    assert len(steps[0]) == len(steps[1]) == 3
    for theirs, ours in zip(*steps, strict=True):
        assert ours.keys() == theirs.keys()
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-4)
    if task == "classification":
        # drawn paths: the first of two validates alone, by statistics of the whole batch
        assert one["history"][-1] == two["history"][-1]
        assert one["history"][-1]["validation_accuracy"] > 0
    moved = 0.0
    for name, values in one["model"].items():
        mine, other = np.array(two["model"][name], float), np.array(values, float)
        assert np.abs(mine - other).max(initial=0.0) < 1e-4, name
        moved = max(moved, float(np.abs(other).max(initial=0.0)))
    assert moved > 0
    if task in ("screening", "search"):
        alphas = [np.ptp(v) for name, v in one["model"].items() if name.endswith("alpha")]
        assert max(alphas) > 1e-4, "α moved"


def test_batches_and_rates_follow_the_number_of_gpus() -> None:
    section = SearchConfig(batch_size=32, architecture_lr=4e-4, optimizer=Optimizer(lr=0.04))
    same, lines = scaled(section, 8, 8)
    assert same == section and not lines
    half, lines = scaled(section, 4, 8, "search")
    assert (half.batch_size, half.optimizer.lr, half.architecture_lr) == (16, 0.02, 2e-4)
    assert len(lines) == 1 and "16 instead of 32" in lines[0] and "0.02 instead of 0.04" in lines[0]
    with pytest.raises(DetSearchError, match=r"search\.batch_size is 30"):
        scaled(section.model_copy(update={"batch_size": 30}), 1, 8, "search")
