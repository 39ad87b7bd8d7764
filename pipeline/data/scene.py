"""One image of the embedded dataset: a photograph, distracting shapes, and digits on top."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipeline.data.embedded_sources import PHOTOGRAPHS, Split, digit, photograph
from pipeline.data.shapes import Stencil, clutter_stencil, digit_stencil

Corner = tuple[int, int]

# Of the smaller box, how much another may cover: digits stay readable, boxes may still touch.
_OVERLAP = 0.15
_CLUTTER_OVERLAP = 0.1
_POSITIONS = 30
_ATTEMPTS = 10
# How much brighter or darker than what is behind it a stroke is at least, in [0, 1]: this much plus
# the standard deviation behind it, or no pattern would leave it visible. The bound can be reached on
# middle grey, from which black and white are 0.5 away.
_CONTRAST = (0.3, 0.45)
_GREATEST_CONTRAST = 0.45
_LEAST_VALUE = 0.05
_LUMA = np.array([0.299, 0.587, 0.114])


class NoRoomError(ValueError):
    """The wanted objects do not fit into an image."""


@dataclass(frozen=True)
class Placed:
    """A stencil at a place: the pixels it covers are its box."""

    stencil: Stencil
    left: int
    top: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """COCO's x, y, width, height, in pixels."""
        height, width = self.stencil.shape
        return self.left, self.top, width, height


def _covered(a: Placed, b: Placed) -> float:
    """The intersection of two boxes as a share of the smaller one."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a.box, b.box
    width = min(ax + aw, bx + bw) - max(ax, bx)
    height = min(ay + ah, by + bh) - max(ay, by)
    return max(0, width) * max(0, height) / min(aw * ah, bw * bh)


def _place(
    rng: np.random.Generator,
    stencil: Stencil,
    others: Sequence[Placed],
    image_size: int,
    overlap: float,
) -> Placed | None:
    height, width = stencil.shape
    for _ in range(_POSITIONS):
        left = int(rng.integers(image_size - width + 1))
        top = int(rng.integers(image_size - height + 1))
        placed = Placed(stencil, left, top)
        if all(_covered(placed, other) <= overlap for other in others):
            return placed
    return None


def place_digits(
    rng: np.random.Generator,
    indices: Sequence[int],
    image_size: int,
    sizes: tuple[int, int],
    rotation: float,
) -> list[Placed]:
    """Place digits in a square image, in the order of `indices`.

    Args:
        rng: Source of the places, sizes and angles.
        indices: Indices into scikit-learn's digits.
        image_size: Pixels.
        sizes: Least and greatest square root of a box's area, in pixels, drawn log-uniformly.
            A digit that finds no room is made smaller, down to the least size.
        rotation: Greatest angle either way, in degrees.

    Raises:
        NoRoomError: Not even digits of the least size find room.
    """
    least, greatest = sizes
    for attempt in range(_ATTEMPTS):
        # Where they do not fit, all are drawn smaller, in the last attempt as small as allowed.
        span = math.log(greatest / least) * (1 - attempt / (_ATTEMPTS - 1))
        wanted = least * np.exp(rng.uniform(0, span, len(indices)))
        placed: dict[int, Placed] = {}
        # The largest first, so that they keep their size.
        for position in np.argsort(-wanted, kind="stable").tolist():
            size, degrees = float(wanted[position]), rng.uniform(-rotation, rotation)
            found = None
            while found is None and size >= least:
                stencil = digit_stencil(digit(indices[position]), size, degrees, image_size)
                found = _place(rng, stencil, list(placed.values()), image_size, _OVERLAP)
                size = least if least < size < least / 0.75 else size * 0.75
            if found is None:
                break
            placed[position] = found
        else:
            return [placed[position] for position in range(len(indices))]
    raise NoRoomError(
        f"{len(indices)} digits of at least {least} pixels do not fit into an image of "
        f"{image_size} pixels; lower data.detection.objects_per_image or object_size"
    )


def draw_background(
    rng: np.random.Generator, split: Split, image_size: int
) -> tuple[np.ndarray, str]:
    """A random crop of a random photograph, (size, size, 3) in [0, 1], and its name."""
    names = sorted(PHOTOGRAPHS[split])
    name = names[rng.integers(len(names))]
    source = photograph(split, name)
    side = rng.uniform(0.4, 1.0) * min(source.size)
    left = rng.uniform(0, source.width - side)
    top = rng.uniform(0, source.height - side)
    crop = source.resize(
        (image_size, image_size),
        Image.Resampling.BICUBIC,
        box=(left, top, left + side, top + side),
    )
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(crop, dtype=np.float32) / 255
    # Exposure differs from photograph to photograph; vary it so that ten of them go further.
    pixels = 0.5 + (pixels - 0.5) * rng.uniform(0.6, 1.0) + rng.uniform(-0.12, 0.12)
    return np.clip(pixels, 0, 1).astype(np.float32), name


def _draw_colour(rng: np.random.Generator, behind: float, contrast: float) -> np.ndarray:
    """A random colour (3,) whose brightness differs from what is behind it by `contrast` at least."""
    while True:
        hue, saturation = rng.uniform((0, 0.1), (1, 1))
        brightest = np.array(colorsys.hsv_to_rgb(hue, saturation, 1.0))
        luma = float(brightest @ _LUMA)
        # of this hue and saturation, the values that are dark enough, and those that are bright enough
        dark = max(0.0, min(1.0, (behind - contrast) / luma) - _LEAST_VALUE)
        bright = max(0.0, 1.0 - (behind + contrast) / luma)
        if dark + bright > 0:
            drawn = rng.uniform(0, dark + bright)
            return brightest * (_LEAST_VALUE + drawn if drawn < dark else 1.0 - (drawn - dark))


def paste(rng: np.random.Generator, image: np.ndarray, placed: Placed) -> np.ndarray:
    """Blend a stencil, in a random colour that stands out, into a copy of (size, size, 3)."""
    x, y, width, height = placed.box
    region = image[y : y + height, x : x + width]
    weight = placed.stencil[..., None]
    brightness = region @ _LUMA
    behind = float(np.average(brightness, weights=placed.stencil))
    spread = float(np.sqrt(np.average((brightness - behind) ** 2, weights=placed.stencil)))
    contrast = min(rng.uniform(*_CONTRAST) + spread, _GREATEST_CONTRAST)
    colour = _draw_colour(rng, behind, contrast)
    opacity = weight * np.float32(rng.uniform(0.85, 1.0))
    result = image.copy()
    result[y : y + height, x : x + width] = region * (1 - opacity) + colour * opacity
    return result


def draw_scene(
    rng: np.random.Generator,
    split: Split,
    digits: Sequence[Placed],
    image_size: int,
    clutter: int,
    clutter_sizes: tuple[float, float],
) -> tuple[Image.Image, Image.Image, str]:
    """Draw an image with and without its digits.

    Args:
        rng: Source of the photograph, shapes and colours.
        split: Whose photographs to use.
        digits: What to paste last, on top.
        image_size: Pixels.
        clutter: Number of distracting shapes; those that find no room are left out.
        clutter_sizes: Least and greatest square root of a shape's box, in pixels.

    Returns:
        The image, the same image before the digits were pasted, and the photograph's name.
    """
    background, name = draw_background(rng, split, image_size)
    for _ in range(clutter):
        low, high = clutter_sizes
        size = math.exp(rng.uniform(math.log(low), math.log(high)))
        placed = _place(
            rng,
            clutter_stencil(rng, size, image_size // 2),
            digits,
            image_size,
            _CLUTTER_OVERLAP,
        )
        if placed is not None:
            background = paste(rng, background, placed)
    image = background
    for placed in digits:
        image = paste(rng, image, placed)
    return _to_image(image), _to_image(background), name


def _to_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.round(pixels * 255).astype(np.uint8))
