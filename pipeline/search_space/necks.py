"""Necks of the architecture format: searched paths, and the feature pyramid network.

Each has `channels`, of every pyramid level, and `strides`, of the levels from the finest.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from pipeline.search_space.block import STAGES, Block, Part

LEVELS = 5
"""Pyramid levels of a searched neck."""


class PathNeck(Part):
    """Top-down and bottom-up paths with searched laterals; further levels make five in all.

    Attributes:
        first_stage: backbone stage (from 1) of the finest level; each from there on has a lateral in
            both paths.
        top_down: blocks before the top-down path, finest level first.
        bottom_up: blocks after it.
        extra: how the levels beyond the backbone's stages are made, each of the one before: `pool`
            subsamples it, `convolution` is a 3×3 of stride 2.
    """

    type: Literal["paths"] = "paths"
    first_stage: Literal[1, 2] = 1
    top_down: tuple[Block, ...]
    bottom_up: tuple[Block, ...]
    extra: Literal["pool", "convolution"] = "pool"

    @model_validator(mode="after")
    def _a_lateral_for_each_stage(self) -> PathNeck:
        stages = STAGES - self.first_stage + 1
        for name, path in (("top_down", self.top_down), ("bottom_up", self.bottom_up)):
            if len(path) != stages:
                raise ValueError(
                    f"{name} needs {stages} blocks, one for each backbone stage from "
                    f"{self.first_stage}, not {len(path)}"
                )
        blocks = (*self.top_down, *self.bottom_up)
        if len({block.channels for block in blocks}) > 1 or any(b.stride > 1 for b in blocks):
            raise ValueError("all laterals of the neck need the same channels, and stride 1")
        return self

    @property
    def channels(self) -> int:
        """Channels of every pyramid level."""
        return self.top_down[0].channels

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the pyramid levels, in pixels, from the finest."""
        return tuple(2 ** (self.first_stage + 1 + level) for level in range(LEVELS))


class FpnNeck(Part):
    """Feature pyramid network: 1×1 laterals, a top-down path by addition, 3×3 convolutions.

    Attributes:
        channels: of every level.
        first_stage: backbone stage (from 1) of the finest level.
        levels: in total; those beyond the backbone's stages are made by `extra`.
        extra: `pool` subsamples the coarsest level; `convolution` is a 3×3 of stride 2, the first
            of them on the backbone's last map (RetinaNet).
    """

    type: Literal["fpn"] = "fpn"
    channels: PositiveInt = 256
    first_stage: Literal[1, 2] = 1
    levels: int = Field(default=5, ge=3, le=7)
    extra: Literal["pool", "convolution"] = "pool"

    @model_validator(mode="after")
    def _a_level_for_each_stage(self) -> FpnNeck:
        stages = STAGES - self.first_stage + 1
        if self.levels < stages:
            raise ValueError(
                f"levels must be at least {stages}, one for each backbone stage from "
                f"{self.first_stage}, not {self.levels}"
            )
        return self

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the pyramid levels, in pixels, from the finest."""
        return tuple(2 ** (self.first_stage + 1 + level) for level in range(self.levels))


Neck = Annotated[PathNeck | FpnNeck, Field(discriminator="type")]
