"""Evaluation is shared out: two processes find what one finds, to the last bit, and both have all of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from training_process import write_data

from pipeline.training import stream
from pipeline.training.stream import in_order, once


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_data(data)
    found: dict[int, list[dict[str, Any]]] = {}
    script = Path(__file__).with_name("evaluating_process.py")
    for processes in (1, 2):
        out = tmp_path / str(processes)
        out.mkdir()
        launched = ["pipeline.launch", "0", str(processes), "10", script.stem, str(data), str(out)]
        done = subprocess.run(
            [sys.executable, "-m", *launched],
            env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[2]}:{script.parent}"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        found[processes] = [
            json.loads((out / f"{rank}.json").read_text()) for rank in range(processes)
        ]
    (alone,) = found[1]
    assert len({each["image_id"] for each in alone["detections"]}) > 5
    assert len(alone["metrics"]) == 13, "COCO's twelve numbers, and AP per class"
    assert found[2] == [alone, alone]


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_each_batch_is_one_process_s_and_the_same_however_many_there_are(
    processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = list(torch.arange(11))
    shares: list[dict[int, list[int]]] = []
    orders: list[list[int]] = []
    monkeypatch.setattr(stream, "size", lambda: processes)
    for rank in range(processes):
        monkeypatch.setattr(stream, "rank", lambda rank=rank: rank)
        shares.append({number: batch.tolist() for number, batch in in_order(images, 2)})
        orders += [batch.tolist() for batch in once(images, 3, seed=1, shared=True)]
    merged = {number: batch for share in shares for number, batch in share.items()}
    assert sum(map(len, shares)) == len(merged)
    assert [merged[number] for number in range(6)] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10]]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    monkeypatch.setattr(stream, "size", lambda: 1)
    monkeypatch.setattr(stream, "rank", lambda: 0)
    assert sorted(orders) == sorted(batch.tolist() for batch in once(images, 3, seed=1))


def test_detecting_draws_no_random_numbers() -> None:
    before = torch.random.get_rng_state()
    assert len(list(in_order(list(torch.arange(5)), 2))) == 3
    assert torch.equal(torch.random.get_rng_state(), before)
