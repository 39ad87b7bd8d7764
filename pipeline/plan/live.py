"""The most memory that tensors hold at once while something runs, on meta tensors too."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveBytes(TorchDispatchMode):
    """Counts the storages that operators make, until nothing refers to them any more.

    What libraries take inside of an operator is not seen, nor is what was there before.

    Attributes:
        now: bytes that are alive.
        peak: the most of them so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operator, and look at what it made."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor):
                self._see(tensor.untyped_storage())
        return made

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return
        self._alive.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size


@contextmanager
def without_gradients_of(module: nn.Module) -> Iterator[None]:
    """Let go of the gradient of each parameter as soon as it is there: they are counted elsewhere."""

    def forget(parameter: Tensor) -> None:
        parameter.grad = None

    hooks = [
        parameter.register_post_accumulate_grad_hook(forget) for parameter in module.parameters()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
