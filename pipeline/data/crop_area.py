"""The part of an image that the crop of a box shows."""

from __future__ import annotations

from collections.abc import Iterable


def crop_area(
    box: Iterable[float], image: tuple[int, int], context: float
) -> tuple[int, int, int, int]:
    """The square around a box, moved into the image; cut off where it is larger than the image.

    Args:
        box: x, y, width, height in pixels.
        image: its width and height.
        context: margin on each side, as a share of the box's longer side.

    Returns:
        Left, upper, right and lower border in whole pixels, at least one apart.
    """
    x, y, width, height = box
    side = max(1, round(max(width, height) * (1 + 2 * context)))
    left, right = _interval(x + width / 2, side, image[0])
    upper, lower = _interval(y + height / 2, side, image[1])
    return left, upper, right, lower


def _interval(centre: float, side: int, extent: int) -> tuple[int, int]:
    side = min(side, extent)
    start = min(max(0, round(centre - side / 2)), extent - side)
    return start, start + side
