"""A list of images without annotations, as COCO publishes it of its test sets (`image_info_….json`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.data.defects import DatasetError, Defect
from pipeline.data.images import VerifyImages, read_sizes
from pipeline.data.normal_form import NormalForm

SPLIT = "test"
"""What messages call it."""

_FIELDS = {"id": int, "file_name": str, "width": int, "height": int}


def read_image_list(
    file: Path, folder: Path, train: Path, verify_images: VerifyImages = "decode"
) -> NormalForm:
    """The images of a file, with the categories of the training split and no annotation.

    Args:
        file: JSON with a list `images`; what else it holds is not looked at.
        folder: that their `file_name` starts at.
        train: the normal form of the training split.
        verify_images: `decode` reads every image wholly, `header` only the beginning of the files.

    Raises:
        DatasetError: Lists what is wrong: no such list, an entry without id, name or size, an id that
            occurs twice, an image that is missing, cannot be read, or has another size.
    """
    defects: list[Defect] = []

    def report(kind: str, item: str, detail: str, at: Path = file) -> None:
        defects.append(Defect(kind, SPLIT, at, item, detail))

    try:
        content: Any = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        report("annotation file", "", f"cannot be read as JSON: {error}")
        raise DatasetError(defects) from None
    entries = content.get("images") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        report("annotation file", "", "has no list of images")
        raise DatasetError(defects)
    found: dict[int, tuple[str, int, int]] = {}
    for position, entry in enumerate(entries):
        values: list[Any] = [entry.get(key) for key in _FIELDS] if isinstance(entry, dict) else []
        if [type(value) for value in values] != [*_FIELDS.values()]:
            named = ", ".join(f"{key} ({kind.__name__})" for key, kind in _FIELDS.items())
            report("malformed entry", f"image number {position}", f"does not have {named}")
            continue
        number, name, width, height = values
        if number in found:
            report("duplicate image id", f"image {number}", "an earlier one has its id")
        found[number] = (name, width, height)
    paths = [folder / name for name, _, _ in found.values()]
    sizes = read_sizes(paths, verify_images)
    for (number, (_, *stated)), path, size in zip(found.items(), paths, sizes, strict=True):
        if size is None:
            report("missing image", f"image {number}", "there is no such file", path)
        elif isinstance(size, str):
            report("unreadable image", f"image {number}", size, path)
        elif size != tuple(stated):
            detail = f"is {size[0]} x {size[1]}, but {file} says {stated[0]} x {stated[1]}"
            report("image size", f"image {number}", detail, path)
    if defects:
        raise DatasetError(defects)
    categories = json.loads(train.read_bytes())["categories"]
    return NormalForm([(each["id"], each["name"]) for each in categories], found)
