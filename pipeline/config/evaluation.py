"""Sections `training`, `evaluation` and `report`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.optimization import Optimizer, Training


class TrainingConfig(Training):
    """Training of the derived detector (Hit-Detector, section 4.2)."""

    optimizer: Optimizer = Optimizer(schedule="step", milestones=(8, 11), warmup_iterations=500)
    validation_interval: PositiveInt = Field(
        default=1, description="epochs between two validations"
    )


class Evaluating(Section):
    """Evaluation of a detector, on the test split where there is one, or on val."""

    batch_size: PositiveInt = Field(default=1, description="images at once, on each GPU")
    workers: int = Field(
        default=0, ge=0, exclude_if=(0).__eq__, description="data-loading processes of each GPU"
    )
    timed_images: PositiveInt = Field(
        default=20, description="images over which the speed is measured"
    )


class LatencyConfig(Section):
    """On what the latency of detectors is measured, from pixels to boxes."""

    runtime: Literal["onnxruntime", "torch"] = Field(
        default="onnxruntime", description="what runs the detectors: exported, or as they are"
    )
    device: Literal["cpu", "cuda"] = Field(
        default="cpu", description="where; cuda with onnxruntime needs the package onnxruntime-gpu"
    )
    threads: PositiveInt = Field(default=1, description="of the runtime and of image resizing")
    images: PositiveInt = Field(
        default=8, description="images of val that are timed, one at a time"
    )
    rounds: PositiveInt = Field(
        default=20, description="times that each detector sees each of them, interleaved"
    )


class EvaluationConfig(Evaluating):
    """How detectors are evaluated, and on what their latency is measured."""

    latency: LatencyConfig | None = Field(
        default=LatencyConfig(),
        description="on what detectors, subnets and operations are timed; null: none is, MACs take its place",
    )


class ReportConfig(Section):
    """The HTML page."""

    example_images: PositiveInt = Field(
        default=8, description="evaluated images drawn with detections"
    )
    score_threshold: float = Field(
        default=0.3, ge=0, le=1, description="detections drawn above this"
    )
    random: bool = Field(
        default=False,
        description="whether the page shows the searched detector among random and plain ones of "
        "the same cost (`hit_random`), and the default target trains them",
    )
    joint_random: bool = Field(
        default=False,
        description="whether the section on Joint-DetNAS has the search beside a random one of the same "
        "budget (`joint_random`), and the default target runs that",
    )

    front: bool = Field(
        default=False,
        description="whether the page shows the front of the pool's subnets (`front`), and the default "
        "target searches it",
    )

    @model_validator(mode="before")
    @classmethod
    def _methods_are_the_runs(cls, given: Any) -> Any:
        if isinstance(given, dict) and "joint_detnas" in given:
            instead = "[hit_detector, joint_detnas]" if given["joint_detnas"] else "[hit_detector]"
            raise ValueError(
                f"joint_detnas is no longer here: write run: {{methods: {instead}}}, which decides what runs"
            )
        return given
