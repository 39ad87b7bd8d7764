"""Sections `normalization`, `detector` and `testing`: what surrounds a two-stage detector.

They are apart because different stages use them: changing how detections are selected in testing
leaves a search valid.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from pipeline.config.base import Section


class Normalization(Section):
    """How pixel values enter every network, in pretraining and in detection."""

    mean: tuple[float, float, float] = Field(
        default=(123.675, 116.28, 103.53), description="RGB, 0-255"
    )
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        default=(58.395, 57.12, 57.375), description="RGB, 0-255"
    )


class DetectorConfig(Section):
    """Input and box sampling in training; the defaults are those of Faster R-CNN with FPN."""

    image_scale: tuple[PositiveInt, PositiveInt] = Field(
        default=(1333, 800), description="longest and shortest side an image is resized to, pixels"
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="probability of a horizontal flip")
    vertical_flip: float = Field(
        default=0.0, ge=0, le=1, description="the same of a vertical one, as under a microscope"
    )
    rpn_samples: PositiveInt = Field(default=256, description="anchors an image in the RPN's loss")
    proposals: PositiveInt = Field(default=1000, description="proposals an image after NMS")
    roi_samples: PositiveInt = Field(default=512, description="RoIs an image in the head's loss")


class TestingConfig(Section):
    """Selection of boxes in testing."""

    proposals: PositiveInt = Field(default=1000, description="proposals an image after NMS")
    score_threshold: float = Field(
        default=0.05, ge=0, lt=1, description="detections below are dropped"
    )
    nms: Literal["hard", "soft"] = Field(
        default="hard",
        description="what overlaps a better detection of its class is removed (hard), or its score lowered "
        "(soft: linear Soft-NMS, which has no export)",
    )
    nms_iou: float = Field(default=0.5, gt=0, le=1)
    detections: PositiveInt = Field(default=100, description="detections kept an image")


class DetectorSections(Section):
    """What every stage uses that builds a detector: how images enter it, and how boxes leave it."""

    normalization: Normalization
    detector: DetectorConfig
    testing: TestingConfig
