"""How an image enters an exported detector: resized as in the detector's evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Entered:
    """An image as the graph takes it.

    Attributes:
        pixels: (1, 3, H, W) uint8, RGB; padded with zeros where the graph's size is fixed.
        extent: rows and columns of `pixels` that are image.
        scale: by which boxes of the image as it was are multiplied: x, y, x, y.
    """

    pixels: NDArray[np.uint8]
    extent: tuple[int, int]
    scale: NDArray[np.float32]


def enter(
    image: NDArray[np.uint8], image_scale: tuple[int, int], size: tuple[int, int] | None = None
) -> Entered:
    """Resize an image so that it just fits in `image_scale`, as mmdet's `Resize` does, and lay it out.

    Args:
        image: (h, w, 3), RGB.
        image_scale: longest and shortest side, pixels.
        size: height and width of a graph whose size is fixed; what is larger is made to fit.
    """
    height, width = image.shape[:2]
    longest, shortest = max(image_scale), min(image_scale)
    factor = min(longest / max(height, width), shortest / min(height, width))
    if size is not None:
        factor = min(factor, size[0] / height, size[1] / width)
    # at least a pixel: a line of pixels stays one
    rows, columns = (max(int(side * factor + 0.5), 1) for side in (height, width))
    resized: Any = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
    pixels = np.ascontiguousarray(resized.transpose(2, 0, 1))[None]
    if size is not None:
        padded = np.zeros((1, 3, *size), np.uint8)
        padded[..., :rows, :columns] = pixels
        pixels = padded
    x, y = columns / width, rows / height
    return Entered(pixels, (rows, columns), np.array([x, y, x, y], np.float32))
