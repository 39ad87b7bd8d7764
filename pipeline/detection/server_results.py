"""Detections as COCO's evaluation server takes them: `detections_<split>_<name>_results.json`, zipped."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.artifacts.files import json_bytes
from pipeline.detection.evaluation import Detection

PREFIXES = ("image_info_", "instances_")
"""What COCO's files have before the name of their image set."""


def image_set(annotations: Path) -> str:
    """The name of an image set by its file: `test-dev2017` of `image_info_test-dev2017.json`."""
    name = annotations.stem
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def server_files(detections: Sequence[Detection], annotations: Path, name: str) -> dict[str, bytes]:
    """The results file, and the archive of it alone that is uploaded; the same bytes for the same results.

    Args:
        detections: of all images.
        annotations: the file of the image set.
        name: of the detector; underscores would read as the parts of the file's name.
    """
    parts = (image_set(annotations), name)
    split, detector = (part.replace("_", "-") for part in parts)
    stem = f"detections_{split}_{detector}_results"
    content = json_bytes(list(detections), indent=None)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        # without the time at which it was made
        file.writestr(zipfile.ZipInfo(f"{stem}.json"), content, zipfile.ZIP_DEFLATED)
    return {f"{stem}.json": content, f"{stem}.zip": archive.getvalue()}
