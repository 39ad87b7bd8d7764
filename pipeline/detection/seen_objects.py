"""The objects of a split that training really sees, against those that were counted."""

from __future__ import annotations

import contextlib
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.artifacts.files import read_json
from pipeline.data.defects import DatasetError, Defect
from pipeline.data.index import SplitPaths

NAMED = 5
"""Annotation ids that a message names."""
# images without objects teach a two-stage detector nothing and crash some samplers
TRAIN_FILTER = {"filter_empty_gt": True}


def seen_objects(split: SplitPaths, classes: Sequence[str]) -> Counter[tuple[int, str]]:
    """How many objects mmdet's dataset gives a training, by image id and class; no crowd regions."""
    from mmdet.datasets import CocoDataset

    # the annotation reader prints its progress
    with contextlib.redirect_stdout(io.StringIO()):
        dataset: Any = CocoDataset(
            ann_file=str(split.annotations),
            data_prefix={"img": str(split.images)},
            metainfo={"classes": list(classes)},
            filter_cfg=TRAIN_FILTER,
            pipeline=[],
            # which would collect all garbage of the process, for some tens of milliseconds to seconds
            serialize_data=False,
        )
    found: Counter[tuple[int, str]] = Counter()
    for position in range(len(dataset)):
        item = dataset.get_data_info(position)
        for instance in item["instances"]:
            if not instance["ignore_flag"]:
                label: int = instance["bbox_label"]
                found[item["img_id"], classes[label]] += 1
    return found


def compare_with_training(splits: Mapping[str, SplitPaths], classes: Sequence[str]) -> None:
    """Compare what is counted with what training sees, per class.

    Args:
        splits: Where the normal form of each split lies.
        classes: Class names in the order of the labels.

    Raises:
        DatasetError: Training would not see an object, or others: the classes, and ids.
    """
    defects: list[Defect] = []
    for name, split in splits.items():
        content = read_json(split.annotations)
        names = {category["id"]: category["name"] for category in content["categories"]}
        ids: dict[tuple[int, str], list[int]] = defaultdict(list)
        for entry in content["annotations"]:
            if not entry["iscrowd"]:
                ids[entry["image_id"], names[entry["category_id"]]].append(entry["id"])
        seen = seen_objects(split, classes)
        for label in classes:
            counted = sum(len(found) for (_, other), found in ids.items() if other == label)
            trained = sum(count for (_, other), count in seen.items() if other == label)
            different = [
                number
                for place in sorted(ids.keys() | seen.keys())
                if place[1] == label and len(ids.get(place, ())) != seen[place]
                for number in ids.get(place, ())
            ]
            if counted == trained and not different:
                continue
            further = f" and {len(different) - NAMED} more" if len(different) > NAMED else ""
            detail = (
                f"{counted} objects are counted, and training would see {trained}; look at annotations "
                f"{', '.join(map(str, different[:NAMED]))}{further}"
            )
            defects.append(
                Defect("objects that training loses", name, split.annotations, label, detail)
            )
    if defects:
        raise DatasetError(defects)
