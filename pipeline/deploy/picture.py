"""Detections drawn on a photograph: a frame and a label for each, in the colour of its class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pipeline.console import one_line
from pipeline.deploy.session import Found
from pipeline.errors import DetSearchError

COLOURS = ("#5ac8ff", "#ff9d3a", "#7ee081", "#fff06b", "#ff8ac4", "#c3a6ff", "#ffffff", "#57d9c4")
"""Of the classes in their order, over and over: the labels have their names, too."""
INK = "#15181e"
"""Of a label's text, readable on each of the colours, and of the line beneath a frame."""
SMALL, ENLARGED = 256, 4
"""An image whose longest side is less pixels than that is drawn so many times as large."""
LABELS = 45
"""Heights of a label in the longest side of a drawing."""


def draw(image: Image.Image, found: Found, classes: Sequence[str], target: Path) -> None:
    """Draw boxes, class names and scores on an image, enlarged where it is small.

    Labels are drawn over frames, and the best over the others. A label stands above its box, or inside where
    the image ends.

    Args:
        image: RGB.
        found: boxes in its pixels.
        classes: names by label.
        target: the file; its ending says the format.

    Raises:
        DetSearchError: the drawing cannot be written.
    """
    scale = ENLARGED if max(image.size) < SMALL else 1
    image = image.resize((image.width * scale, image.height * scale))
    canvas = ImageDraw.Draw(image)
    height = max(10.0, max(image.size) / LABELS)
    font = ImageFont.load_default(height)
    line = max(2, round(height / 7))
    everything = zip(found.labels, found.scores, found.bboxes, strict=True)
    shown = [
        (
            COLOURS[int(label) % len(COLOURS)],
            f"{one_line(classes[int(label)])} {float(score):.2f}",
            box,
        )
        for label, score, box in sorted(everything, key=lambda one: float(one[1]))
    ]
    corners = [tuple(float(value) * scale for value in box) for _, _, box in shown]
    for (colour, *_), (left, top, right, bottom) in zip(shown, corners, strict=True):
        right, bottom = max(left, right), max(top, bottom)
        # a dark line around it keeps the frame visible on a bright photograph
        around = (left - 1, top - 1, right + 1, bottom + 1)
        canvas.rectangle(around, outline=INK, width=line + 2)
        canvas.rectangle((left, top, right, bottom), outline=colour, width=line)
    for (colour, text, _), (left, top, *_) in zip(shown, corners, strict=True):
        wide, high = canvas.textlength(text, font=font) + height / 2, height * 1.3
        x = max(0.0, min(left, image.width - wide))
        y = top - high if top >= high else max(0.0, top)
        canvas.rectangle((x, y, x + wide, y + high), fill=colour)
        canvas.text((x + height / 4, y + high / 2), text, fill=INK, font=font, anchor="lm")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        image.save(target)
    except OSError as error:
        raise DetSearchError(f"{target} cannot be written: {error.strerror or error}") from error
