"""Division of the training set into the images that train weights and those that train choices."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.errors import DetSearchError


class TooFewImagesError(DetSearchError, ValueError):
    """A training set cannot be divided."""


def image_ids(annotations: Path) -> list[int]:
    """The image ids of a COCO instances file, in the file's order."""
    return [image["id"] for image in json.loads(annotations.read_text())["images"]]


def halves(images: Path | Iterable[int], seed: int) -> tuple[list[int], list[int]]:
    """Divide images into two random halves.

    Args:
        images: COCO instances file, or the ids themselves (`range(n)` for a set without ids). Their
            order does not matter.
        seed: Seed of the division.

    Returns:
        Two sorted lists of ids, without a common id, which together hold every id. Of an odd number
        the first list holds one more.

    Raises:
        ValueError: An id occurs twice.
        TooFewImagesError: There are fewer than two.
    """
    listed = image_ids(images) if isinstance(images, Path) else list(images)
    ids = sorted(set(listed))
    if len(ids) < len(listed):
        raise ValueError("cannot divide images into halves: an id occurs twice")
    if len(ids) < 2:
        raise TooFewImagesError(f"cannot divide {len(ids)} image(s) into halves: two are needed")
    order = np.random.default_rng(seed).permutation(len(ids)).tolist()
    middle = (len(ids) + 1) // 2
    return (
        sorted(ids[position] for position in order[:middle]),
        sorted(ids[position] for position in order[middle:]),
    )
