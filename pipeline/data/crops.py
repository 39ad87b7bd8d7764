"""A classification dataset made of the boxes of a detection dataset: one crop for each box.

Where there is one class only, or where asked for, crops of background are one class more.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from pipeline.artifacts.files import read_json
from pipeline.config.data import CropsClassification
from pipeline.data.background import background_boxes
from pipeline.data.crop_area import crop_area
from pipeline.data.defects import DatasetError, Defect
from pipeline.data.embedded import SPLITS
from pipeline.data.images import load_pil_image
from pipeline.data.index import DatasetIndex, Split, SplitPaths

log = logging.getLogger(__name__)

BACKGROUND = "(background)"
"""The class of crops without an object; of a name, `folder_name` leaves no parenthesis."""
Annotations = dict[str, list[dict[str, Any]]]
"""The annotations of one split by class name, in the order of their ids."""


def write_crops(settings: CropsClassification, index: DatasetIndex, folder: Path) -> None:
    """Write `<split>/<class>/<annotation id>.png` into `folder`: the same files for the same data.

    Crowd regions are left out, and so are classes without a crop in either split.

    Args:
        settings: Size, margin, and how many.
        index: The prepared detection dataset.
        folder: An existing folder.

    Raises:
        DatasetError: Fewer than two classes have crops in both splits.
    """
    contents: dict[Split, Any] = {
        split: read_json(index.split(split).annotations) for split in SPLITS
    }
    chosen, common = _chosen(settings, contents)
    for name in index.classes:
        if name not in common:
            log.warning(
                "Class %s is left out: it has no box to crop in train, or none in val", name
            )
    if wrong := too_few_classes(common, index.path):
        raise DatasetError([wrong])
    for split, found in chosen.items():
        paths = index.split(split)
        for name in common:
            (folder / split / _folder(name)).mkdir(parents=True)
        _write_split(paths, {name: found[name] for name in common}, settings, folder / split)


def count_crops(
    settings: CropsClassification, contents: Mapping[Split, Mapping[str, Any]]
) -> tuple[list[str], int]:
    """What `write_crops` would make: the classes, and the number of training images.

    Args:
        settings: As of `write_crops`.
        contents: The annotations of `train` and `val`, in the normal form.
    """
    chosen, common = _chosen(settings, contents)
    return common, sum(len(chosen["train"][name]) for name in common)


def too_few_classes(common: Sequence[str], file: Path) -> Defect | None:
    """What is wrong where fewer than two classes have crops; None where nothing is."""
    if len(common) >= 2:
        return None
    detail = (
        f"{len(common)} class has crops in train and val, and two are needed to tell apart; "
        "data.classification.crops.background: true adds crops without an object where images have room "
        "for them; or choose another data.classification.source, `none` say"
    )
    return Defect("too few classes", "train/val", file, "", detail)


def folder_name(name: str) -> str:
    """A class name as a folder's: what a path cannot hold is percent-encoded."""
    return quote(name, safe=" ").replace(".", "%2E")


def _folder(name: str) -> str:
    return name if name == BACKGROUND else folder_name(name)


def _chosen(
    settings: CropsClassification, contents: Mapping[Split, Mapping[str, Any]]
) -> tuple[dict[Split, Annotations], list[str]]:
    """The annotations to crop in each split, and the classes that have some in every one."""
    limits = {"train": settings.train_images_per_class, "val": settings.val_images_per_class}
    chosen: dict[Split, Annotations] = {
        split: _choose(contents[split], settings, limits[split], number)
        for number, split in enumerate(SPLITS)
    }
    classes = [category["name"] for category in contents["train"]["categories"]]
    common = [name for name in classes if all(name in found for found in chosen.values())]
    if common and (settings.background is True or (settings.background and len(common) == 1)):
        for number, (split, found) in enumerate(chosen.items()):
            models = [entry["bbox"] for name in common for entry in found[name]]
            wanted = -(-len(models) // len(common))
            found[BACKGROUND] = background_boxes(
                contents[split], models, wanted, settings.context, [settings.seed, number]
            )
            if len(found[BACKGROUND]) < wanted:
                log.warning(
                    "%s has room for %d of %d crops of background",
                    split,
                    len(found[BACKGROUND]),
                    wanted,
                )
        if all(found[BACKGROUND] for found in chosen.values()):
            common.append(BACKGROUND)
    return chosen, common


def _choose(
    content: Mapping[str, Any], settings: CropsClassification, limit: int | None, number: int
) -> Annotations:
    names = {category["id"]: category["name"] for category in content["categories"]}
    found: Annotations = defaultdict(list)
    for annotation in sorted(content["annotations"], key=lambda entry: entry["id"]):
        _, _, width, height = annotation["bbox"]
        usable = min(width, height) > 0 and max(width, height) >= settings.smallest
        if usable and not annotation.get("iscrowd", 0):
            found[names[annotation["category_id"]]].append(annotation)
    if limit is None:
        return found
    return {name: _some(members, limit, [settings.seed, number]) for name, members in found.items()}


def _some(members: list[dict[str, Any]], limit: int, seed: list[int]) -> list[dict[str, Any]]:
    order = np.random.default_rng(seed).permutation(len(members))[:limit]
    return [members[position] for position in sorted(order.tolist())]


def _write_split(
    paths: SplitPaths, found: Annotations, settings: CropsClassification, folder: Path
) -> None:
    images = {image["id"]: image["file_name"] for image in read_json(paths.annotations)["images"]}
    by_image: dict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for name, crops in found.items():
        for annotation in crops:
            by_image[annotation["image_id"]].append((name, annotation))
    for image_id, members in by_image.items():
        image = load_pil_image(paths.images / images[image_id])
        for name, annotation in members:
            area = crop_area(annotation["bbox"], image.size, settings.context)
            crop = image.crop(area)
            scale = settings.image_size / min(crop.size)
            width, height = (max(settings.image_size, round(side * scale)) for side in crop.size)
            target = folder / _folder(name) / f"{annotation['id']:09d}.png"
            crop.resize((width, height), Image.Resampling.BICUBIC).save(target, compress_level=3)
