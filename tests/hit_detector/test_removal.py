"""Gradual removal in screening: when a candidate goes, which one, and what is published of it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.config.hit_detector import Kept, ScreeningConfig
from pipeline.config.optimization import Optimizer
from pipeline.hit_detector.removal import Removal
from pipeline.hit_detector.screening import Screening
from pipeline.search_space.names import CANDIDATES
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record, run_loop
from pipeline.training.stream import BatchStream


class _Linked(nn.Module):
    """Two choice layers in a chain, without any mmdet around them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([ChoiceLayer(names, 2, 3), ChoiceLayer(names, 3, 3)])

    def forward(self, input: Tensor) -> Tensor:
        return self.layers[1](self.layers[0](input))


def _loss(model: Any, batch: Tensor) -> tuple[Tensor, Record]:
    loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
    return loss, {"loss": float(loss.detach())}


def _screening(candidates: int, keep: int, epochs: int, begin: int, images: int = 8) -> Screening:
    torch.manual_seed(0)
    names = CANDIDATES[-candidates:]
    model = _Linked(names)
    generator = torch.Generator().manual_seed(1)
    data = [torch.rand(2, 5, 5, generator=generator) for _ in range(images)]
    settings = ScreeningConfig(
        candidates=names,
        keep=Kept(backbone=1, neck=1, head=1),
        epochs=epochs,
        architecture_from_epoch=begin,
        architecture_lr=0.05,
        optimizer=Optimizer(lr=0.01, momentum=0.9),
    )
    # not validated: a screening refuses by itself to keep more than there are
    settings = settings.model_copy(update={"keep": Kept(backbone=1, neck=keep, head=1)})
    streams = (BatchStream(data, 2, 5), BatchStream(data, 2, 6))
    layers = [layer for layer in model.layers if isinstance(layer, ChoiceLayer)]
    return Screening(("neck",), model, settings, {"neck": layers}, _loss, streams)


def _removal(task: Screening) -> Removal:
    return task.removals["neck"]


@settings(deadline=None, max_examples=40)
@given(
    candidates=st.integers(2, 12),
    data=st.data(),
    epochs=st.integers(1, 12),
    images=st.sampled_from([2, 6, 14]),
)
def test_the_schedule_falls_from_all_to_keep(
    candidates: int, data: st.DataObject, epochs: int, images: int
) -> None:
    keep = data.draw(st.integers(1, candidates))
    begin = data.draw(st.integers(1, epochs))
    task = _screening(candidates, keep, epochs, begin, images)
    start = (begin - 1) * images // 2
    assert task.architecture_start == start
    living = [_removal(task).living_after(done) for done in range(task.iterations + 1)]
    assert living[: start + 1] == [candidates] * (start + 1)
    assert living[-1] == keep
    assert living == sorted(living, reverse=True)
    # linear: never further than a half from the straight line
    line = [
        candidates - (candidates - keep) * t / (task.iterations - start)
        for t in range(task.iterations + 1 - start)
    ]
    assert all(abs(a - b) <= 0.5 for a, b in zip(living[start:], line, strict=True))


def _set(task: Screening, *rows: list[float]) -> None:
    for layer, row in zip(_removal(task).layers, rows, strict=True):
        layer.alpha.data = torch.tensor(row)


def test_the_lowest_score_goes_and_of_equal_ones_the_later() -> None:
    task = _screening(5, 1, 1, 1, images=8)
    names = _removal(task).layers[0].names
    assert [_removal(task).living_after(done) for done in range(5)] == [5, 4, 3, 2, 1]
    # the mean over layers counts: candidate 0 is lowest in one layer only
    _set(task, [-1.0, 0, 0.5, 0.5, 0.5], [3.0, 0, 0, 0, 0])
    task.after_architecture_step(1)
    assert [entry["operation"] for entry in _removal(task).removed] == [names[1]]
    _set(task, [1.0, 9, 0, 0, 0], [1.0, 9, 0, 0, 0])
    task.after_architecture_step(2)
    assert _removal(task).removed[-1]["operation"] == names[4]
    # scores are over those who were alive: 1/(e + 3)
    assert _removal(task).removed[-1]["score"] == pytest.approx(1 / (2.718281828 + 3))
    # a schedule that is two behind removes two at once
    task.after_architecture_step(4)
    assert [entry["operation"] for entry in _removal(task).removed[2:]] == [names[3], names[2]]
    result = _removal(task).result()
    assert result["kept"] == [names[0]]
    assert list(result["scores"]) == list(names)
    assert result["scores"][names[0]] == 1
    assert {e["operation"]: e["score"] for e in result["removed"]}.items() <= result[
        "scores"
    ].items()


def test_kept_operations_are_ordered_by_falling_score() -> None:
    task = _screening(4, 4, 1, 1)
    _set(task, [0.0, 3, 1, 2], [0.0, 3, 1, 2])
    task.after_architecture_step(4)
    names = _removal(task).layers[0].names
    result = _removal(task).result()
    assert result["kept"] == [names[1], names[3], names[2], names[0]]
    assert result["removed"] == []
    assert sum(result["scores"].values()) == pytest.approx(1)


def test_more_than_there_are_cannot_be_kept() -> None:
    with pytest.raises(ValueError, match=r"cannot keep 4 operations for the neck.* has 3"):
        _screening(3, 4, 1, 1)


def test_a_whole_screening_ends_with_exactly_keep(tmp_path: Path) -> None:
    task = _screening(7, 3, 4, 2)
    history = _run(task, tmp_path)
    result = _removal(task).result()
    assert len(result["kept"]) == 3 and len(result["removed"]) == 4
    assert [record["candidates"] for record in history if "candidates" in record] == [
        _removal(task).living_after(done) for done in range(1, 17)
    ]
    # epochs of four iterations, α from the second on
    for entry in result["removed"]:
        assert entry["epoch"] == -(-entry["iteration"] // 4) >= 2
    curves = [record for record in history if any(key.startswith("probability/") for key in record)]
    assert [record["epoch"] for record in curves] == [1, 2, 3, 4]
    assert len(curves[0]) == 2 + 7 and len(curves[-1]) == 2 + 3


def _run(task: Screening, folder: Path) -> list[Record]:
    work = WorkFolder(folder, "sha256:" + "0" * 64)
    return run_loop(task, work, seed=3, title="screening", log_interval=1, checkpoint_seconds=1e-9)


class _Crash(Exception):
    pass


@pytest.mark.parametrize("crash", [3, 9, 14])
def test_a_resumed_screening_is_the_uninterrupted_one(crash: int, tmp_path: Path) -> None:
    whole = _screening(7, 3, 4, 2)
    expected = _run(whole, tmp_path / "whole")
    broken = _screening(7, 3, 4, 2)
    step = broken.step

    def crashing(iteration: int, data: Any) -> Any:
        if iteration == crash:
            raise _Crash
        return step(iteration, data)

    broken.step = crashing  # type: ignore[method-assign]
    with pytest.raises(_Crash):
        _run(broken, tmp_path / "broken")
    resumed = _screening(7, 3, 4, 2)
    assert _run(resumed, tmp_path / "broken") == expected
    assert resumed.results() == whole.results()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name
