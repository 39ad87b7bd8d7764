"""The sizes to which a user's images are resized, and what of the objects is left there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.config.distillation import Resolution
from pipeline.config.optimization import COARSEST_STRIDE
from pipeline.own_config.survey import Survey

SHARES = (0.375, 0.5, 0.75, 1.0)
"""Of the sides of the largest resolution: seven times as many pixels from the least to the largest."""
LEAST_OBJECT = 8.0
"""Pixels: two cells of the finest feature map, which has a stride of 4."""


@dataclass(frozen=True)
class Sizes:
    """Resolutions of a pool.

    Attributes:
        resolutions: longest and shortest side, rising; four, but for images of a few pixels.
        input_size: height and width of the largest, padded to what networks take.
        median_object: square root of the area that half of the objects have at the largest, pixels.
        side_for_objects: the longest side at which that is `LEAST_OBJECT`; None where it is so
            already, or the images have no such side.
    """

    resolutions: tuple[Resolution, ...]
    input_size: tuple[int, int]
    median_object: float
    side_for_objects: int | None

    @property
    def largest(self) -> Resolution:
        """The last resolution."""
        return self.resolutions[-1]

    @classmethod
    def of(cls, survey: Survey, side: int) -> Sizes:
        """Sizes in the proportion of the images, whose sides they do not exceed.

        Args:
            survey: of the data.
            side: longest side of the largest resolution, pixels.
        """
        side = min(side, survey.longest)
        largest = side, _whole(side * survey.shortest / survey.longest)
        # of images of a few pixels two may be the same
        resolutions = dict.fromkeys(
            (_whole(largest[0] * share), _whole(largest[1] * share)) for share in SHARES
        )
        width, height = largest[::-1] if survey.upright else largest
        there = survey.median_object(largest)
        wanted = math.ceil(side * LEAST_OBJECT / there)
        return cls(
            tuple(resolutions),
            (_padded(height), _padded(width)),
            there,
            wanted if side < wanted <= survey.longest else None,
        )


def _whole(pixels: float) -> int:
    return max(1, math.floor(pixels + 0.5))


def _padded(side: int) -> int:
    return -(-side // COARSEST_STRIDE) * COARSEST_STRIDE
