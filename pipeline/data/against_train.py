"""Splits held against each other, and against the config: categories, classes, images."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.config.own_detection import OwnDetection, SplitName
from pipeline.data.coco_summary import CocoSummary
from pipeline.data.defects import Defect

SHOWN = 3
"""Names of images in a message."""


def against_train(
    config: OwnDetection, train: CocoSummary, split: SplitName, other: CocoSummary
) -> list[Defect]:
    """Defects of a split and train together; labels follow the order of the categories, so it counts.

    Args:
        config: where both lie.
        train: what was found of train.
        split: the name of the other.
        other: what was found of it.
    """
    train_file, file = Path(config.train.annotations), Path(config.splits[split].annotations)
    both, item = f"train/{split}", f"compared with {config.train.annotations}"
    defects = []
    if train.categories != other.categories:
        only = [
            f"{name} alone has {', '.join(f'{i}: {n}' for i, n in mine if (i, n) not in theirs)}"
            for name, mine, theirs in (
                ("train", train.categories, other.categories),
                (split, other.categories, train.categories),
            )
            if set(mine) - set(theirs)
        ]
        detail = "; ".join(only) or "the same ones are listed in another order"
        defects.append(Defect("categories differ", both, file, item, detail))
    names = dict(other.categories)
    for category_id in sorted(other.objects.keys() - train.objects.keys()):
        if category_id in names:
            detail = f"has {other.objects[category_id]} objects here and none in {train_file}"
            named = f"category {category_id} ({names[category_id]})"
            defects.append(Defect(f"class only in {split}", both, file, named, detail))
    if seen := _in_train(config, train, split, other):
        detail = (
            f"{len(seen)} of its {len(other.images)} images are in train, too: {', '.join(seen[:SHOWN])}"
            f"{', …' if len(seen) > SHOWN else ''}"
        )
        defects.append(Defect("images in two splits", both, file, item, detail))
    return defects


def _in_train(
    config: OwnDetection, train: CocoSummary, split: SplitName, other: CocoSummary
) -> list[str]:
    """The images of a split that train has, too: what is measured on them was seen in training."""
    learnt = _places(config.train.images, train)
    judged = _places(config.splits[split].images, other)
    return [name for place, name in judged.items() if place in learnt]


def _places(folder: str, summary: CocoSummary) -> dict[str, str]:
    """The names of a split's images by where they lie: the same for a folder and for one above it."""
    start = Path(folder).resolve()
    names = (name for name, _, _ in summary.images.values())
    return {os.path.normpath(start / name): name for name in names}


def wrong_classes(config: OwnDetection, train: CocoSummary) -> list[Defect]:
    """Where the config names classes, and those of train are others."""
    listed = {name for _, name in train.categories}
    if config.classes is None or set(config.classes) == listed:
        return []
    missing, further = set(config.classes) - listed, listed - set(config.classes)
    detail = "; ".join(
        [f"it lacks {', '.join(sorted(missing))}"] * bool(missing)
        + [f"it also has {', '.join(sorted(further))}"] * bool(further)
    )
    file = Path(config.train.annotations)
    return [Defect("classes", "train", file, "categories against data.detection.classes", detail)]
