"""A published detector as mmdet's model, with nothing but its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.artifacts.manifest import MANIFEST, open_artifact
from pipeline.artifacts.weights import WEIGHTS
from pipeline.detection.detector_folder import CONFIG
from pipeline.errors import DetSearchError


def open_detector(folder: Path, device: str = "cpu") -> Any:
    """Load a detector folder, its files checked: the model in eval mode, with its config and classes.

    Raises:
        DetSearchError: a file is missing or altered, or the folder is none of a detector.
    """
    files = open_artifact(folder / MANIFEST).files
    if absent := [name for name in (CONFIG, WEIGHTS) if name not in files]:
        raise DetSearchError(
            f"{folder} is no detector folder: its manifest lists no {' and no '.join(absent)}"
        )
    # mmdet takes seconds to import: not before the folder is known to be right
    from mmdet.apis import init_detector

    return init_detector(str(folder / CONFIG), str(folder / WEIGHTS), device=device)


def image_scale(model: Any) -> tuple[int, int]:
    """Longest and shortest side to which a model of `open_detector` resizes an image, pixels."""
    transforms = model.cfg.test_dataloader.dataset.pipeline
    longest, shortest = next(each.scale for each in transforms if each.type == "Resize")
    return longest, shortest
