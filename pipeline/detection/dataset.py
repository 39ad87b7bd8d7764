"""Detection images as mmdet datasets: the transforms, in training and in testing."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict

from pipeline.config.detector import DetectorConfig
from pipeline.data.index import SplitPaths
from pipeline.detection.builder import register_modules
from pipeline.detection.loading import LOAD
from pipeline.detection.seen_objects import TRAIN_FILTER

_META = (
    "img_id",
    "img_path",
    "ori_shape",
    "img_shape",
    "scale_factor",
)


def train_transforms(settings: DetectorConfig) -> list[dict[str, Any]]:
    """Load, resize, flip: the only augmentation of Hit-Detector (section 4.2).

    A vertical flip is drawn independently, and is left out where its probability is zero.
    """
    vertical = {"type": "RandomFlip", "prob": settings.vertical_flip, "direction": "vertical"}
    return [
        {"type": LOAD},
        {"type": "LoadAnnotations", "with_bbox": True},
        {"type": "Resize", "scale": tuple(settings.image_scale), "keep_ratio": True},
        {"type": "RandomFlip", "prob": settings.flip},
        *([vertical] if settings.vertical_flip else []),
        {"type": "PackDetInputs"},
    ]


def test_transforms(settings: DetectorConfig, load: str = LOAD) -> list[dict[str, Any]]:
    """Load and resize; no augmentation in testing. `load` names another transform that loads."""
    return [
        {"type": load},
        {"type": "Resize", "scale": tuple(settings.image_scale), "keep_ratio": True},
        {"type": "PackDetInputs", "meta_keys": list(_META)},
    ]


def dataset_config(
    annotations: Path | str,
    images: Path | str,
    classes: list[str],
    transforms: list[dict[str, Any]],
    *,
    train: bool,
) -> dict[str, Any]:
    """The mmdet config of a COCO-format split, as plain data."""
    return {
        "type": "CocoDataset",
        "ann_file": str(annotations),
        "data_prefix": {"img": str(images)},
        "metainfo": {"classes": classes},
        "pipeline": transforms,
        "test_mode": not train,
        "filter_cfg": dict(TRAIN_FILTER) if train else None,
    }


def build_dataset(
    split: SplitPaths, classes: list[str], settings: DetectorConfig, *, train: bool
) -> Any:
    """The mmdet dataset of a split: items have `inputs` (3, H, W) uint8 and `data_samples`."""
    register_modules()
    import mmdet.datasets
    from mmdet.registry import DATASETS

    assert mmdet.datasets.CocoDataset is not None
    transforms = train_transforms(settings) if train else test_transforms(settings)
    config = dataset_config(split.annotations, split.images, classes, transforms, train=train)
    # the annotation reader prints its progress
    with contextlib.redirect_stdout(io.StringIO()):
        return DATASETS.build(ConfigDict(config))
