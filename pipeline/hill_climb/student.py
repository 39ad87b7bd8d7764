"""The student that comes out of the search, at the resolution that was chosen for it."""

from __future__ import annotations

import math

from pipeline.config.optimization import COARSEST_STRIDE
from pipeline.search_space.architecture import Architecture
from pipeline.teacher_pool.space import Resolution


def at_resolution(architecture: Architecture, used: Resolution, chosen: Resolution) -> Architecture:
    """The same network, its costs counted at the size that images have at another resolution.

    Sides grow and shrink in proportion, and are padded to multiples of the coarsest stride, as batches are.

    Args:
        architecture: its `input_size` belongs to the resolution `used`.
        used: longest and shortest side, pixels.
        chosen: the same.
    """
    longest, shortest = (new / old for new, old in zip(chosen, used, strict=True))
    height, width = architecture.input_size
    factors = (shortest, longest) if height <= width else (longest, shortest)
    # before rounding up: factors such as 800 / 1333 are not exact
    size = tuple(
        math.ceil(round(side * factor, 6) / COARSEST_STRIDE) * COARSEST_STRIDE
        for side, factor in zip((height, width), factors, strict=True)
    )
    return architecture.model_copy(update={"input_size": size})
