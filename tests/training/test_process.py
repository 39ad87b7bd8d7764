"""What decides the bits of a process: algorithms by device and by `run.deterministic`, and nothing filled."""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
import torch
from torch import nn

from pipeline.config.run import Computing
from pipeline.training.computing import computed, computing
from pipeline.training.process import prepare_process


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DETSEARCH_CPUS", "1")
    options: Any = torch.utils.deterministic
    filled, threads = options.fill_uninitialized_memory, torch.get_num_threads()
    with computed(computing()):
        yield
    torch.use_deterministic_algorithms(False)
    options.fill_uninitialized_memory = filled
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("device", "wanted", "deterministic"),
    [
        ("cpu", "auto", True),
        ("cuda", "auto", False),
        ("cuda", True, True),
        ("cpu", False, False),
    ],
)
def test_only_repeatable_algorithms_run_on_a_cpu_and_where_they_are_asked_for(
    device: str, wanted: Literal["auto"] | bool, deterministic: bool
) -> None:
    settings = Computing(deterministic=wanted)
    prepare_process(torch.device(device), 1, settings, 0)
    assert torch.are_deterministic_algorithms_enabled() == deterministic
    if deterministic:
        # on a GPU one operator has no such form: it says so, and the training goes on
        warns = torch.is_deterministic_algorithms_warn_only_enabled()
        assert warns == (device == "cuda")
    assert computing() == settings


def _trained(fill: bool) -> list[torch.Tensor]:
    """Weights after some steps of a small network."""
    options: Any = torch.utils.deterministic
    prepare_process(torch.device("cpu"), 1, Computing(), 7)
    assert not options.fill_uninitialized_memory
    options.fill_uninitialized_memory = fill
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3, groups=4)
    )
    optimizer = torch.optim.AdamW(model.parameters(), 0.01, fused=True)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 16, 16)).square().mean().backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_memory_is_not_filled_and_the_bits_are_the_same() -> None:
    for plain, filled in zip(_trained(False), _trained(True), strict=True):
        assert torch.equal(plain, filled)
