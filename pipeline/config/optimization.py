"""Optimiser, learning-rate schedule and batch, as every training section holds them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from pipeline.config.base import Section

COARSEST_STRIDE = 32
"""Of a backbone with a stem and four stages that each halve the map."""


class Optimizer(Section):
    """The optimiser of the network's weights, and the schedule of its learning rate."""

    type: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(default=0.04, gt=0, description="peak learning rate")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="SGD's momentum; AdamW ignores it")
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["cosine", "step"] = "cosine"
    milestones: tuple[PositiveInt, ...] = Field(
        default=(), description="step schedule: epochs after which the rate is divided by 10"
    )
    warmup_iterations: int = Field(default=0, ge=0, description="linear warm-up from a thousandth")
    clip_norm: float | None = Field(default=None, gt=0, description="largest norm of the gradient")

    @model_validator(mode="after")
    def _milestones_rise(self) -> Optimizer:
        if self.schedule == "step" and not self.milestones:
            raise ValueError("the step schedule needs milestones, a list of epochs")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must rise")
        return self


class Training(Section):
    """Length and batch of one training."""

    epochs: PositiveInt = Field(default=12, description="passes over the training set")
    batch_size: PositiveInt = Field(default=32, description="images a step, over all GPUs")
    optimizer: Optimizer = Optimizer()
    workers: int = Field(
        default=0,
        ge=0,
        description="data-loading processes a GPU, at most one less than its CPU cores; 0 loads in "
        "the main one",
    )
    log_interval: PositiveInt = Field(
        default=20, description="iterations between two lines of the log"
    )


class Classification(Training):
    """Training of a backbone (or its supernet) on the classification data."""

    flip: float = Field(default=0.5, ge=0, le=1, description="probability of a horizontal flip")
    crop_scale: tuple[float, float] = Field(
        default=(0.25, 1.0),
        description="range of the random crop, as fractions of the image's area",
    )
    image_size: PositiveInt = Field(default=224, description="side of the square crop, pixels")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    paths: PositiveInt | None = Field(
        default=None, description="supernets: candidates a step runs in each layer; null runs all"
    )

    @model_validator(mode="after")
    def _crop_range(self) -> Classification:
        if self.image_size < COARSEST_STRIDE:
            raise ValueError(
                f"image_size is {self.image_size}, but a crop must not be smaller than the coarsest "
                f"stride of the backbone, {COARSEST_STRIDE} pixels"
            )
        low, high = self.crop_scale
        if not 0 < low <= high <= 1:
            raise ValueError("crop_scale must satisfy 0 < low <= high <= 1")
        return self
