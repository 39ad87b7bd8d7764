"""How this process computes: what `run` says of every training and evaluation, and its precision.

It holds for the process, as torch's own settings of algorithms and threads do: every network that is
built obeys it, whoever runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.config.run import Computing
from pipeline.errors import DetSearchError


class OutOfMemory(DetSearchError):
    """A device's memory ran out; the message names the setting that helps."""


_present = Computing()
# of the modules whose forward pass is running now, the outermost first
_open: list[Any] = []


def computing() -> Computing:
    """How this process computes at present."""
    return _present


def compute(settings: Computing) -> None:
    """Let this process compute so from now on."""
    global _present
    _present = settings


@contextmanager
def computed(settings: Computing) -> Iterator[None]:
    """Compute so while open."""
    before = computing()
    compute(settings)
    try:
        yield
    finally:
        compute(before)


def in_precision(*modules: nn.Module) -> None:
    """Let modules compute in the precision that is set when they run; what they give is float32.

    In bf16 torch's autocast takes convolutions and matrix products to it, inside the module only: what is
    done with its outputs (boxes, RoI features, losses) is done in float32. A coordinate of 1333 would
    become 1336.

    Args:
        modules: that take and give feature maps, logits and offsets, and no coordinates.
    """
    for module in modules:
        module.register_forward_pre_hook(_enter)
        module.register_forward_hook(_leave, always_call=True)


def in_float32(*modules: nn.Module) -> None:
    """Let modules within those of `in_precision` compute in float32 all the same."""
    for module in modules:
        module.register_forward_pre_hook(_enter_float32)
        module.register_forward_hook(_leave, always_call=True)


def _autocast(module: nn.Module, *, enabled: bool) -> Any:
    """Torch's autocast where the module lies; on the meta device, where only shapes are counted, none."""
    device = next(module.parameters()).device.type
    if device == "meta":
        return nullcontext()
    return torch.autocast(device, torch.bfloat16, enabled=enabled)


def _enter(module: nn.Module, inputs: Any) -> None:
    context: Any = nullcontext()
    if _present.precision == "bf16":
        context = _autocast(module, enabled=True)
    context.__enter__()
    _open.append(context)


def _enter_float32(module: nn.Module, inputs: Any) -> Any:
    context: Any = nullcontext()
    if _present.precision == "bf16":
        inputs = _as_float32(inputs)
        context = _autocast(module, enabled=False)
    context.__enter__()
    _open.append(context)
    return inputs


def _leave(module: nn.Module, inputs: Any, output: Any) -> Any:
    _open.pop().__exit__(None, None, None)
    return output if _present.precision == "float32" else _as_float32(output)


def _as_float32(value: Any) -> Any:
    """The same with every tensor of lower precision in float32; lists and tuples of them, too."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype == torch.bfloat16 else value
    if isinstance(value, list | tuple):
        return type(value)(_as_float32(each) for each in value)
    return value
