"""Joint screening: three components at once, and each one's own artifact out of it."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.config.hit_detector import Kept, ScreeningConfig
from pipeline.config.optimization import Optimizer
from pipeline.hit_detector.objective import column_sparsity
from pipeline.hit_detector.screening import Screening, component_history
from pipeline.search_space.architecture import COMPONENTS
from pipeline.search_space.names import CANDIDATES
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Record, run_loop
from pipeline.training.stream import BatchStream

KEEP = {"backbone": 4, "neck": 3, "head": 2}
NAMES = CANDIDATES[-6:]


class _Chain(nn.Module):
    """Backbone, neck and head of two layers each, in a chain, without any mmdet around them."""

    def __init__(self, execution: Any) -> None:
        super().__init__()
        widths = (2, 3, 3, 3, 3, 3, 3)
        self.layers = nn.ModuleList([ChoiceLayer(NAMES, *pair) for pair in pairwise(widths)])
        for layer in self.layers:
            layer.execution = execution

    def forward(self, input: Tensor) -> Tensor:
        for layer in self.layers:
            input = layer(input)
        return input


def _loss(model: Any, batch: Tensor) -> tuple[Tensor, Record]:
    loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
    return loss, {"loss": float(loss.detach())}


def _parts(
    execution: str = "store",
) -> tuple[nn.Module, ScreeningConfig, dict[str, list[ChoiceLayer]], Any]:
    torch.manual_seed(0)
    model = _Chain(execution)
    generator = torch.Generator().manual_seed(1)
    data = [torch.rand(2, 5, 5, generator=generator) for _ in range(8)]
    settings = ScreeningConfig(
        candidates=NAMES,
        keep=Kept(**KEEP),
        epochs=3,
        architecture_from_epoch=2,
        architecture_lr=0.05,
        optimizer=Optimizer(lr=0.01, momentum=0.9),
    )
    layers = [layer for layer in model.layers if isinstance(layer, ChoiceLayer)]
    choices = {name: layers[2 * i : 2 * i + 2] for i, name in enumerate(COMPONENTS)}
    return model, settings, choices, (BatchStream(data, 2, 5), BatchStream(data, 2, 6))


def _joint(execution: str = "store") -> Screening:
    model, settings, choices, streams = _parts(execution)
    return Screening(COMPONENTS, model, settings, choices, _loss, streams)


def _run(task: Any, folder: Path) -> list[Record]:
    work = WorkFolder(folder, "sha256:" + "0" * 64)
    return run_loop(task, work, seed=3, title="joint", log_interval=1, checkpoint_seconds=1e-9)


def test_every_component_ends_with_its_own_number_of_operations(tmp_path: Path) -> None:
    task = _joint()
    records = _run(task, tmp_path)
    for component, result in task.results().items():
        assert result["component"] == component
        assert len(result["kept"]) == KEEP[component]
        assert len(result["removed"]) == 6 - KEEP[component]
        assert set(result["scores"]) == set(NAMES)
        # α is fixed in the first of three epochs of four steps
        assert all(entry["epoch"] >= 2 for entry in result["removed"])
        curve = [r["candidates"] for r in component_history(records, component) if "loss" in r]
        assert curve[:4] == [6] * 4 and curve[-1] == KEEP[component]
        assert curve == sorted(curve, reverse=True)


def test_the_penalty_is_the_sum_over_the_components() -> None:
    task = _joint()
    for number, layers in enumerate(task.choices.values()):
        for layer in layers:
            layer.alpha.data = torch.linspace(1, 2, 6) + number
    # two equal rows: the smallest column is √2 · its smallest entry, 1, 2 and 3
    assert float(task.penalty().detach()) == pytest.approx(0.1 * 2**0.5 * (1 + 2 + 3))
    for layers in task.choices.values():
        assert float(column_sparsity(layers, "group_lasso").detach()) > 0


def test_a_component_s_history_has_the_keys_of_its_own_screening(tmp_path: Path) -> None:
    joint = component_history(_run(_joint(), tmp_path / "joint"), "neck")
    model, settings, choices, streams = _parts()
    alone = _run(Screening(("neck",), model, settings, choices, _loss, streams), tmp_path / "alone")

    def kinds(records: list[Record]) -> list[set[str]]:
        # which operation went may differ, not how many
        return [{key.rpartition("/")[0] or key for key in record} for record in records]

    assert kinds(joint) == kinds(alone)
    assert [len(record) for record in joint] == [len(record) for record in alone]


def test_recomputation_screens_the_same(tmp_path: Path) -> None:
    stored, recomputed = _joint("store"), _joint("recompute")
    first, second = _run(stored, tmp_path / "s"), _run(recomputed, tmp_path / "r")
    for one, other in zip(first, second, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert {name: space["kept"] for name, space in stored.results().items()} == {
        name: space["kept"] for name, space in recomputed.results().items()
    }


class _Crash(Exception):
    pass


def test_a_resumed_joint_screening_is_the_uninterrupted_one(tmp_path: Path) -> None:
    whole = _joint()
    expected = _run(whole, tmp_path / "whole")
    broken = _joint()
    step = broken.step

    def crashing(iteration: int, data: Any) -> Any:
        if iteration == 9:
            raise _Crash
        return step(iteration, data)

    broken.step = crashing  # type: ignore[method-assign]
    with pytest.raises(_Crash):
        _run(broken, tmp_path / "broken")
    resumed = _joint()
    assert _run(resumed, tmp_path / "broken") == expected
    assert resumed.results() == whole.results()
