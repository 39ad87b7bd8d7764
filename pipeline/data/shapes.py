"""Stencils of the embedded dataset: the strokes of a digit, and distracting shapes.

A stencil is the opacity of what is pasted: (height, width), float32 in [0, 1], cropped so that its
first and last rows and columns are visible. Its extent is the object's box.
"""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Stencil = np.ndarray
Point = tuple[float, float]

# Opacity below this is invisible on a photograph; without the cut, boxes would be loose.
VISIBLE = 0.12
# Width of the canvas that clutter is drawn on, and on which a digit is measured.
_CANVAS = 256
_MEASURE = 96


def _visible(opacity: np.ndarray) -> np.ndarray:
    """The part of `opacity` up to its outermost visible pixels, with the invisible ones cleared."""
    rows = np.flatnonzero((opacity > VISIBLE).any(axis=1))
    columns = np.flatnonzero((opacity > VISIBLE).any(axis=0))
    part = opacity[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.where(part > VISIBLE, part, np.float32(0)).astype(np.float32)


def _scale(stencil: Stencil, size: float, limit: int) -> float:
    """The factor that makes the box of `stencil` about `size`² pixels, within `limit` a side."""
    height, width = stencil.shape
    # Resampling can add a pixel at either end.
    return min(size / math.sqrt(height * width), (limit - 2) / max(height, width))


def _strokes(ink: np.ndarray, degrees: float, width: int) -> np.ndarray:
    """Opacity (width, width) of a scanned digit, turned about its middle."""
    # Two cells of paper all around: rotation cuts no corner off.
    paper = np.pad(ink.astype(np.float32), 2)
    cells, turn = len(paper), math.radians(degrees)
    a, b = math.cos(turn) * cells / width, math.sin(turn) * cells / width
    c, f = (cells - width * (a - b)) / 2, (cells - width * (a + b)) / 2
    enlarged = Image.fromarray(paper).transform(
        (width, width), Image.Transform.AFFINE, (a, -b, c, b, a, f), Image.Resampling.BICUBIC
    )
    # The scans are blurred by their 8 x 8 cells; a steep ramp below half ink makes strokes of them.
    return np.clip((np.asarray(enlarged) - 0.36) / 0.22, 0, 1)


def digit_stencil(ink: np.ndarray, size: float, degrees: float, limit: int) -> Stencil:
    """Draw a scanned digit with smooth strokes.

    Args:
        ink: (8, 8), 0 for paper to 1 for full ink.
        size: Wanted square root of the box's area, in pixels.
        degrees: Rotation, counter-clockwise.
        limit: Greatest width or height, in pixels; it goes before `size`.
    """
    scale = _scale(_visible(_strokes(ink, degrees, _MEASURE)), size, limit)
    return _visible(_strokes(ink, degrees, round(_MEASURE * scale)))


def _polyline(draw: ImageDraw.ImageDraw, points: list[Point], width: int) -> None:
    draw.line(points, fill=255, width=width, joint="curve")
    for x, y in points:
        r = width / 2
        draw.ellipse((x - r, y - r, x + r, y + r), fill=255)


def _around(count: int, turn: float = 0.0, radius: float = 90.0) -> list[Point]:
    angles = [2 * math.pi * i / count + turn for i in range(count)]
    middle = _CANVAS / 2
    return [(middle + radius * math.cos(a), middle + radius * math.sin(a)) for a in angles]


def _zigzag(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int) -> None:
    count = int(rng.integers(4, 7))
    xs = np.linspace(30, 226, count)
    ys = [70 + 116 * (i % 2) + rng.uniform(-20, 20) for i in range(count)]
    _polyline(draw, [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)], width)


def _star(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int) -> None:
    """Spokes from the middle: Y, X, *."""
    middle = (_CANVAS / 2, _CANVAS / 2)
    for tip in _around(int(rng.integers(3, 7)), rng.uniform(0, math.pi)):
        _polyline(draw, [middle, tip], width)


def _outline(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int) -> None:
    """A triangle or square; more corners would look like a 0."""
    corners = _around(int(rng.integers(3, 5)), rng.uniform(0, math.pi))
    _polyline(draw, [*corners, corners[0]], width)


def _blob(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int) -> None:
    half = rng.uniform(40, 95)
    draw.ellipse((38, 128 - half, 218, 128 + half), fill=255)


def _polygon(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int) -> None:
    draw.polygon(_around(int(rng.integers(3, 7)), rng.uniform(0, math.pi)), fill=255)


def _comb(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int) -> None:
    """A spine with teeth: E, F, and longer ones, on one side or both."""
    left = 128.0 if rng.random() < 0.5 else 60.0
    _polyline(draw, [(128, 30), (128, 226)], width)
    for y in np.linspace(40, 216, int(rng.integers(3, 6))):
        _polyline(draw, [(left, float(y)), (210, float(y))], width)


def _spiral(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int) -> None:
    turns = rng.uniform(2.2, 3.0)
    points = []
    for t in np.linspace(0.05, 1, 60):
        angle = 2 * math.pi * turns * t
        points.append((128 + 95 * t * math.cos(angle), 128 + 95 * t * math.sin(angle)))
    _polyline(draw, points, max(12, width // 2))


def _wave(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int) -> None:
    periods, height = rng.uniform(1.5, 3.0), rng.uniform(25, 60)
    xs = np.linspace(25, 231, 60)
    ys = 128 + height * np.sin(2 * math.pi * periods * (xs - 25) / 206)
    _polyline(draw, [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)], width)


_SHAPES: tuple[Callable[[ImageDraw.ImageDraw, np.random.Generator, int], None], ...] = (
    _zigzag,
    _star,
    _outline,
    _blob,
    _polygon,
    _comb,
    _spiral,
    _wave,
)


def clutter_stencil(rng: np.random.Generator, size: float, limit: int) -> Stencil:
    """Draw a random shape that is no digit, in strokes like a digit's; arguments as there."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    shape = _SHAPES[rng.integers(len(_SHAPES))]
    shape(ImageDraw.Draw(canvas), rng, int(rng.integers(18, 36)))
    # Strokes of a pen, not of a plotter: the same softness as an upscaled digit's.
    soft = (
        canvas.reduce(2)
        .filter(ImageFilter.GaussianBlur(2))
        .rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR)
    )
    drawn = _visible(np.asarray(soft, dtype=np.float32) / 255)
    scale = _scale(drawn, size, limit)
    height, width = (max(2, round(side * scale)) for side in drawn.shape)
    resized = Image.fromarray(drawn).resize((width, height), Image.Resampling.BILINEAR)
    return _visible(np.clip(np.asarray(resized), 0, 1))
