"""Live bytes against sums by hand; fake tensors take the same ones, and answer without values."""

from contextlib import ExitStack

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.live_memory import Decisions, LiveBytes

KIB = 1024


def _step(live: LiveBytes) -> tuple[int, int]:
    """Bytes that stay after a step of a layer of 64 × 64 weights on 256 rows, and its peak."""
    layer = nn.Linear(64, 64, bias=False)
    rows = torch.zeros(256, 64)
    part = rows[:3]
    with live:
        # 16 KiB of weights, 64 KiB of rows
        assert live.count([layer.weight, rows, part]) == (16 + 64) * KIB
        # 64 KiB of outputs, 64 KiB of their halves; the view of them is none
        halves = layer(rows) / 2
        assert halves[None].shape == (1, 256, 64)
        # the outputs themselves are gone: nothing needs them
        assert live.now == (16 + 64 + 64) * KIB and live.peak == (16 + 64 + 64 + 64) * KIB
        # gradients of halves and of outputs, 64 KiB each
        halves.backward(torch.ones_like(halves))
        del halves
        assert layer.weight.grad is not None
    return live.now, live.peak


@pytest.mark.parametrize("fake", [False, True], ids=["real", "fake"])
def test_bytes_are_counted_while_they_live(fake: bool) -> None:
    with ExitStack() as stack:
        if fake:
            stack.enter_context(FakeTensorMode())
        now, peak = _step(LiveBytes())
    # the gradient of the weights stays
    assert now == (16 + 64 + 16) * KIB
    assert peak >= (16 + 64 + 64 + 64 + 64) * KIB


def test_decisions_are_made_where_fake_tensors_have_no_values() -> None:
    with FakeTensorMode(), Decisions(lambda entries: entries // 4):
        scores = torch.rand(40, 2)
        mask = scores[:, 0] > 0.5
        assert bool(mask.any()) and scores.sum().item() == 1
        assert mask.nonzero().shape == (10, 1)
        assert scores[mask].shape == (10, 2)
        assert scores[mask, torch.zeros(10, dtype=torch.long)].shape == (10,)
        scores[mask] = torch.zeros(10, 2)
        assert mask.nonzero().squeeze(1).unique().shape == (10,)
        assert torch.ops.torchvision.nms(torch.rand(30, 4), torch.rand(30), 0.5).shape == (30,)
