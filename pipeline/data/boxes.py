"""Which boxes training can use; and boxes that another tool meant in another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Boxes rounded to whole pixels, or counted from 1, may reach out of their image by this many pixels.
BOX_TOLERANCE = 1.0
LEAST_SIDE = 1.0
"""Pixels: mmdet's CocoDataset passes over a box with a shorter side, without a word."""
WITHOUT_AREA, TOO_SMALL, OUTSIDE = (
    "box without area",
    "box smaller than a pixel",
    "box outside its image",
)
AS_FRACTIONS, AS_CORNERS = "boxes as fractions", "boxes as corners"
NAMED = 5
"""Ids that a message about many boxes names."""


@dataclass(frozen=True)
class Box:
    """A box of finite numbers whose width and height are not negative.

    Attributes:
        item: What to call its annotation.
        values: x, y, width, height in pixels, as the file says.
        image: What to call its image, and its width and height; None where no image is known.
        crowd: It is a region, no object.
    """

    item: str
    values: tuple[float, float, float, float]
    image: tuple[str, int, int] | None
    crowd: bool

    @property
    def beyond(self) -> float:
        """By how many pixels it reaches out of its image."""
        if self.image is None:
            return 0.0
        x, y, width, height = self.values
        return max(-x, -y, x + width - self.image[1], y + height - self.image[2])

    @property
    def overlaps(self) -> bool:
        """Whether any of it lies in its image."""
        if self.image is None:
            return True
        x, y, width, height = self.values
        across = min(x + width, self.image[1]) - max(x, 0)
        return across > 0 and min(y + height, self.image[2]) - max(y, 0) > 0

    @property
    def usable(self) -> bool:
        """Whether training sees it."""
        return min(self.values[2:]) >= LEAST_SIDE and self.overlaps


def misread(boxes: Sequence[Box]) -> tuple[str, str] | None:
    """Whether all boxes of a file look as if they were meant in another way: (kind, what to do)."""
    placed = [box for box in boxes if box.image is not None]
    if not placed:
        return None
    if all(_is_fraction(box) for box in placed):
        return AS_FRACTIONS, (
            f"all {len(placed)} boxes ({_named(placed)}) lie between 0 and 1: they look like fractions of "
            "the image; bbox is in pixels: multiply x and width by the image's width, y and height by "
            "its height"
        )
    outside = [box for box in placed if box.beyond > BOX_TOLERANCE]
    if outside and all(_fits_as_corners(box) for box in placed):
        return AS_CORNERS, (
            f"{len(outside)} of {len(placed)} boxes ({_named(outside)}) reach out of their images, and none "
            "would if the last two numbers were the right and lower border: they look like corners; bbox "
            "is x, y, width, height: subtract x and y"
        )
    return None


def problem(box: Box) -> tuple[str, str] | None:
    """What is wrong with one box: (kind, detail); None where it can be used."""
    shown = list(box.values)
    if min(box.values[2:]) == 0:
        return WITHOUT_AREA, f"its bbox {shown} covers nothing"
    if box.image is not None and (box.beyond > BOX_TOLERANCE or not box.overlaps):
        name, width, height = box.image
        return OUTSIDE, (
            f"its bbox {shown} reaches {box.beyond:g} pixels out of {name}, {width} x {height}); "
            f"{BOX_TOLERANCE:g} is allowed"
            + ("" if box.overlaps else ", and some of it must be inside")
        )
    if min(box.values[2:]) < LEAST_SIDE and not box.crowd:
        fraction = "; it looks like fractions of the image" if _is_fraction(box) else ""
        return TOO_SMALL, (
            f"its bbox {shown} is narrower than {LEAST_SIDE:g} pixel, and training would pass over it"
            + fraction
        )
    return None


def _is_fraction(box: Box) -> bool:
    return all(0 <= value <= 1 for value in box.values)


def _fits_as_corners(box: Box) -> bool:
    assert box.image is not None
    left, upper, right, lower = box.values
    _, width, height = box.image
    inside = right <= width + BOX_TOLERANCE and lower <= height + BOX_TOLERANCE
    return inside and right > left >= -BOX_TOLERANCE and lower > upper >= -BOX_TOLERANCE


def _named(boxes: Sequence[Box]) -> str:
    further = f" and {len(boxes) - NAMED} more" if len(boxes) > NAMED else ""
    return ", ".join(box.item for box in boxes[:NAMED]) + further
