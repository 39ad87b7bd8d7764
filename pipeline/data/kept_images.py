"""Decoded images that stay in memory: who reads the same files epoch after epoch decodes each once.

Decoding takes more than half of the time in which a training image is made ready. No image is ever
dropped for another one: where an epoch is larger than the memory, dropping the one that was used
longest ago would drop each just before it is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 2**28
"""Of one process: 5,400 images of 128 x 128 pixels, or 290 of 640 x 480."""

Pixels = NDArray[np.uint8]


class _Version(NamedTuple):
    """What changes when a file is written anew."""

    inode: int
    bytes: int
    modified: int


class KeptImages:
    """What a function made of image files, for as many files as the memory holds.

    Args:
        load: reads a file into an array; what it raises passes through, and nothing is kept.
        most_bytes: of all arrays together; further ones are read every time.

    Attributes:
        held: bytes of the arrays that are kept.
    """

    def __init__(self, load: Callable[[Path], Pixels], most_bytes: int = MOST_BYTES) -> None:
        self.load, self.most_bytes = load, most_bytes
        self.held = 0
        self._kept: dict[Path, tuple[_Version, Pixels]] = {}

    def read(self, path: Path) -> Pixels:
        """The array of a file as it is now, the caller's own to change.

        Raises:
            FileNotFoundError: there is no such file any more.
        """
        found = path.stat()
        version = _Version(found.st_ino, found.st_size, found.st_mtime_ns)
        kept = self._kept.get(path)
        if kept and kept[0] == version:
            return kept[1].copy()
        if kept:
            self.held -= self._kept.pop(path)[1].nbytes
        pixels = self.load(path)
        if self.held + pixels.nbytes <= self.most_bytes:
            self._kept[path] = version, pixels.copy()
            self.held += pixels.nbytes
        return pixels
