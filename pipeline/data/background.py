"""Places in the images of a detection dataset that show none of its objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.crop_area import crop_area

MOST_OVERLAP = 0.1
"""Share of a box, and of a crop of background, whichever is smaller, that the two may have in common."""
TRIES = 32
"""Places that are tried in an image."""
IMAGES = 8
"""Images in which a place for one crop is looked for."""


def background_boxes(
    content: Mapping[str, Any],
    models: Sequence[Sequence[float]],
    number: int,
    context: float,
    seed: Sequence[int],
) -> list[dict[str, Any]]:
    """Draw boxes whose crops show next to nothing of any annotation, regions included.

    Args:
        content: Annotations in the normal form.
        models: Boxes (x, y, width, height) of objects; a box of background has the width and height of
            one of them, each is taken as often as the others.
        number: How many.
        context: Margin of a crop, as of `crop_area`.
        seed: Of the draws.

    Returns:
        Entries with `id`, from 0, `image_id` and `bbox`; fewer where the images have no room. The same for
        the same annotations and seed, in whatever order they are.
    """
    rng = np.random.default_rng(list(seed))
    images = sorted(content["images"], key=lambda image: image["id"])
    boxes: dict[int, list[Sequence[float]]] = defaultdict(list)
    for entry in sorted(content["annotations"], key=lambda entry: entry["id"]):
        boxes[entry["image_id"]].append(entry["bbox"])
    taken = {image: np.array(found, float).reshape(-1, 4) for image, found in boxes.items()}
    sizes = sorted((box[2], box[3]) for box in models)
    found: list[dict[str, Any]] = []
    order: list[int] = []
    for _ in range(number):
        if not order:
            order = rng.permutation(len(sizes)).tolist()
        size = sizes[order.pop()]
        for place in rng.integers(len(images), size=IMAGES).tolist():
            image = images[place]
            others = taken.get(image["id"], np.empty((0, 4)))
            box = _free(rng, size, (image["width"], image["height"]), others, context)
            if box is not None:
                found.append({"id": len(found), "image_id": image["id"], "bbox": box})
                break
    return found


def _free(
    rng: np.random.Generator,
    size: tuple[float, float],
    image: tuple[int, int],
    boxes: NDArray[np.float64],
    context: float,
) -> list[float] | None:
    """A box of the size whose crop shows next to nothing of `boxes`, (n, 4); None where none was found."""
    # Python draws the same places on every machine: the corners are whole pixels
    room = [max(0, int(extent - side)) for extent, side in zip(image, size, strict=True)]
    lefts, uppers = (rng.integers(extent + 1, size=TRIES).tolist() for extent in room)
    for left, upper in zip(lefts, uppers, strict=True):
        box = [float(left), float(upper), *map(float, size)]
        if shown(crop_area(box, image, context), boxes) <= MOST_OVERLAP:
            return box
    return None


def shown(area: tuple[int, int, int, int], boxes: NDArray[np.float64]) -> float:
    """How much a crop and any box have in common, as a share of the smaller of the two.

    Args:
        area: Left, upper, right and lower border of the crop.
        boxes: (n, 4): x, y, width, height.
    """
    if not len(boxes):
        return 0.0
    left, upper, right, lower = area
    across = np.minimum(boxes[:, 0] + boxes[:, 2], right) - np.maximum(boxes[:, 0], left)
    down = np.minimum(boxes[:, 1] + boxes[:, 3], lower) - np.maximum(boxes[:, 1], upper)
    common = np.clip(across, 0, None) * np.clip(down, 0, None)
    smaller = np.minimum(boxes[:, 2] * boxes[:, 3], (right - left) * (lower - upper))
    return float(np.max(common / np.maximum(smaller, 1e-9)))
