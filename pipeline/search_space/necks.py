"""Necks of the architecture format: searched paths, the feature pyramid network, NAS-FPN's cells, SSD's.

Each has `channels`, of every pyramid level (SSD's are of a level each), and `strides`, of the levels from
the finest.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

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
            of them on the backbone's last map (RetinaNet); `convolution_on_output` begins with the
            pyramid's coarsest level, and has a ReLU before each further one (FCOS).
        norm_groups: group normalisation behind each convolution, in so many groups; none by default.
    """

    type: Literal["fpn"] = "fpn"
    channels: PositiveInt = 256
    first_stage: Literal[1, 2] = 1
    levels: int = Field(default=5, ge=3, le=7)
    extra: Literal["pool", "convolution", "convolution_on_output"] = "pool"
    norm_groups: PositiveInt | None = Field(default=None, exclude_if=lambda groups: groups is None)

    @model_validator(mode="after")
    def _whole_groups(self) -> FpnNeck:
        if self.norm_groups and self.channels % self.norm_groups:
            raise ValueError(
                f"channels {self.channels} is not a multiple of {self.norm_groups} groups"
            )
        return self

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


class MergingCell(Part):
    """Two maps made one (Ghiasi et al. 2019, section 3.1).

    Both are brought to the size of a level: nearest neighbours where they are smaller, max pooling
    where they are larger. `sum` adds them. `attention` adds to the second the first, each channel
    times the sigmoid of the second's mean. With `convolution`, ReLU, a 3×3 and BN follow.

    Attributes:
        inputs: positions in the list of all maps: those of the levels from the finest, then those of
            the cells before this one.
        level: position of the level (from 0, the finest) whose size the output has. The last cell of
            a level is the level's output.
    """

    operation: Literal["sum", "attention"]
    inputs: tuple[NonNegativeInt, NonNegativeInt]
    level: NonNegativeInt
    convolution: bool = True


class NasFpnNeck(Part):
    """NAS-FPN: 1×1 laterals, and the same cells several times over.

    Attributes:
        channels: of every level.
        first_stage: backbone stage (from 1) of the finest level.
        levels: in total; those beyond the backbone's stages are max poolings of its last map, each
            with a lateral of its own.
        stacks: times that the cells stand behind one another, each time with weights of their own.
        cells: of one stack, in the order in which they are computed.
    """

    type: Literal["nas_fpn"] = "nas_fpn"
    channels: PositiveInt = 256
    first_stage: Literal[1, 2] = 1
    levels: int = Field(default=5, ge=3, le=7)
    stacks: PositiveInt = 7
    cells: tuple[MergingCell, ...]

    @model_validator(mode="after")
    def _every_level_is_made(self) -> NasFpnNeck:
        if self.levels < STAGES - self.first_stage + 1:
            raise ValueError(
                f"levels must be at least {STAGES - self.first_stage + 1}, one for each backbone "
                f"stage from {self.first_stage}, not {self.levels}"
            )
        for number, cell in enumerate(self.cells):
            if max(cell.inputs) >= self.levels + number:
                raise ValueError(
                    f"cell {number + 1}: inputs must be below {self.levels + number}, the number of "
                    "levels and of cells before it"
                )
        if {cell.level for cell in self.cells} != set(range(self.levels)):
            raise ValueError(f"each of the {self.levels} levels needs a cell, and no other")
        return self

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the pyramid levels, in pixels, from the finest."""
        return tuple(2 ** (self.first_stage + 1 + level) for level in range(self.levels))


class SsdNeck(Part):
    """SSD's further levels behind the two maps of a VGG (Liu et al. 2016).

    Each is made of the one before: a 1×1 convolution to half of its channels and a 3×3 of stride 2,
    with ReLU; the last one has a 4×4 of stride 1 in the place of the 3×3, which makes a map of 2 × 2
    one of 1 × 1. The finest map is normalised in each place, and each channel scaled.

    Attributes:
        channels: of each further level.
    """

    type: Literal["ssd"] = "ssd"
    channels: tuple[PositiveInt, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _halves(self) -> SsdNeck:
        if any(channels % 2 for channels in self.channels):
            raise ValueError("channels must be even: half of them come before each convolution")
        return self

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of all levels, in pixels, from the finest."""
        return tuple(8 * 2**level for level in range(2 + len(self.channels)))


Neck = Annotated[PathNeck | FpnNeck | NasFpnNeck | SsdNeck, Field(discriminator="type")]
