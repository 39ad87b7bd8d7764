"""The zoo: networks of the papers as architecture files, by the name of their file."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import Architecture

FINGERPRINT_FILES = (
    "cascade_r101.json",
    "fcos_r101.json",
    "fpn_detnas_1_3g.json",
    "fpn_fbnet_c.json",
    "fpn_mobilenetv2.json",
    "fpn_r101.json",
    "fpn_r152.json",
    "fpn_r18.json",
    "fpn_r50_2fc.json",
    "fpn_r50_4conv1fc.json",
    "fpn_x101_32x4d.json",
    "hit_detector_released.json",
    "nas_fpn_detnas_1_3g.json",
    "nas_fpn_r50.json",
    "reppoints_r101.json",
    "retinanet_mobilenetv2.json",
    "retinanet_r50.json",
    "ssd_vgg16.json",
)

NAMES = tuple(file.removesuffix(".json") for file in FINGERPRINT_FILES)
"""Every network of the zoo."""


def zoo_file(name: str) -> Path:
    """The architecture file of a network of the zoo.

    Raises:
        DetSearchError: there is none of that name.
    """
    if name not in NAMES:
        raise DetSearchError(f"the zoo has no network {name!r}: it has {', '.join(NAMES)}")
    return Path(__file__).parent / f"{name}.json"


def zoo_architecture(name: str) -> Architecture:
    """A network of the zoo, with COCO's 80 classes and the size at which Hit-Detector counts.

    Raises:
        DetSearchError: there is none of that name.
    """
    return Architecture.load(zoo_file(name))


def is_one_stage(name: str) -> bool:
    """Whether a network of the zoo is a one-stage detector."""
    return zoo_architecture(name).rpn is None
