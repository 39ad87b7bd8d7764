"""The bytes that live tensors take, counted op by op: of real tensors, or of fake ones of any size.

Fake tensors have shapes and no values. Where a detector asks for a value (which anchors are positive,
which boxes survive the suppression), `Decisions` answers in its place, with as many as there can be.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Follows the storages of all tensors that operators return while the mode is on.

    What a kernel uses inside of itself (workspaces) and a caching allocator's slack are not seen.

    Attributes:
        now: bytes alive.
        peak: the most that were alive at once since the start, or since it was last set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def count(self, tensors: Iterable[Tensor]) -> int:
        """Count tensors that exist already; the bytes that they add."""
        before = self.now
        for tensor in tensors:
            self._add(tensor)
        return self.now - before

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._alive or not storage.nbytes():
            return
        self._alive.add(key)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, key, storage.nbytes())

    def _drop(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator, count what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._add(leaf)
        return result


@contextmanager
def fake_copies() -> Iterator[None]:
    """Let `copy.deepcopy` clone fake tensors; torch's own would copy memory that they do not have."""

    def clone(tensor: Tensor, memo: Any) -> Tensor:
        return tensor.clone()

    with patch.object(FakeTensor, "__deepcopy__", clone, create=True):
        yield


class Decisions(TorchDispatchMode):
    """Answers fake tensors' questions for values, so that a detector's own code runs on them.

    Every yes-or-no is yes, every number 1. The suppression keeps all boxes. How many entries of a mask
    are true is the caller's to say.

    Args:
        selected: from the entries of a mask to the number of true ones.
    """

    def __init__(self, selected: Callable[[int], int]) -> None:
        super().__init__()
        self.selected = selected

    def _positions(self, mask: Tensor) -> tuple[Tensor, ...]:
        number = self.selected(mask.numel())
        return tuple(mask.new_zeros(number, dtype=torch.long) for _ in range(mask.dim()))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator, or answer in its place."""
        kwargs = kwargs or {}
        aten, vision = torch.ops.aten, torch.ops.torchvision
        if func is aten._local_scalar_dense.default:
            kind = args[0].dtype
            return True if kind == torch.bool else 1.0 if kind.is_floating_point else 1
        if func is aten.nonzero.default:
            return torch.stack(self._positions(args[0]), 1)
        if func is aten._unique2.default:
            flat = args[0].reshape(-1).clone()
            return flat, torch.zeros_like(flat), torch.zeros_like(flat)
        if func is vision.nms.default:
            return args[0].new_zeros(len(args[0]), dtype=torch.long)
        if func in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default):
            places: list[Tensor | None] = []
            for place in args[1]:
                masks = place is not None and place.dtype in (torch.bool, torch.uint8)
                places.extend(self._positions(place) if masks else (place,))
            args = (args[0], places, *args[2:])
        return func(*args, **kwargs)
