"""Images to try an exported detector on: a user's own, or made ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts.label_folder import IMAGE_ENDINGS, files_below
from pipeline.data.images import ImageError, load_image
from pipeline.errors import DetSearchError

SHAPES = ((1.0, 1.0), (0.7, 1.0), (1.0, 0.6), (0.45, 0.5), (1.3, 1.9))
"""Height and width of made images, in the detector's longest side."""


def image_paths(given: Sequence[Path], most: int | None = None) -> list[Path]:
    """The images among files and folders, those of a folder by name, at most `most` evenly spread ones.

    Raises:
        DetSearchError: a path is missing, or there is no image.
    """
    paths: list[Path] = []
    for path in given:
        if path.is_dir():
            paths += sorted(path / name for name in files_below(path, *IMAGE_ENDINGS))
        elif path.is_file():
            paths.append(path)
        else:
            raise DetSearchError(f"no such image or folder: {path}")
    if not paths:
        raise DetSearchError(f"no image in {', '.join(map(str, given))}")
    return [paths[position] for position in evenly(len(paths), most)]


def evenly(there: int, wanted: int | None) -> list[int]:
    """Positions of some of a number of things, spread evenly; all where None, or where there are fewer."""
    if wanted is None or wanted >= there:
        return list(range(there))
    return [number * there // wanted for number in range(wanted)]


def loaded(paths: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    """The images (h, w, 3), RGB, one after another.

    Raises:
        DetSearchError: a file is no image; with its name.
    """
    for path in paths:
        try:
            yield load_image(path)
        except ImageError as error:
            raise DetSearchError(f"{path} {error}") from error


def made_images(longest: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Images (h, w, 3) of random blots, from coarse to fine, in several sizes and proportions.

    Args:
        longest: side that sizes are relative to, pixels.
        seed: of the blots.
    """
    generator = np.random.default_rng(seed)
    images = []
    for height, width in SHAPES:
        rows, columns = (max(int(longest * side), 8) for side in (height, width))
        total = np.zeros((rows, columns, 3), np.float32)
        for cells in (3, 8, 20):
            noise = generator.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
            total += cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_CUBIC)
        image: Any = np.clip(128 + 80 * total, 0, 255).astype(np.uint8)
        images.append(image)
    return images
