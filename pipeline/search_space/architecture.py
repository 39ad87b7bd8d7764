"""The architecture format: the one description of a network that every stage reads and writes.

A block names its operation, or several candidate operations: with one name in each block the
architecture is a network, with several it is a supernet. `pipeline.detection.builder` turns either
into an mmdet config.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from pipeline.artifacts.files import read_json, write_json
from pipeline.errors import DetSearchError
from pipeline.search_space.names import OperationName

FORMAT = 1
COMPONENTS = ("backbone", "neck", "head")
STAGES = 4
"""Backbone stages, and pyramid levels that the neck refines: strides 4, 8, 16, 32."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(_Part):
    """One layer: its operation (or its candidates, in a supernet), output channels and stride."""

    operation: OperationName | tuple[OperationName, ...]
    channels: PositiveInt
    stride: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _candidates_differ(self) -> Block:
        if not isinstance(self.operation, str):
            if not self.operation:
                raise ValueError("a block needs at least one candidate operation")
            if len(set(self.operation)) < len(self.operation):
                raise ValueError("the candidate operations of a block must differ")
        return self


class Stem(_Part):
    """The first convolution: 3×3, stride 2, with BN and ReLU (the released network has a bias)."""

    channels: PositiveInt = 16
    bias: bool = False


class BlockBackbone(_Part):
    """Stem and four stages of searched blocks (Hit-Detector, section 3.3)."""

    type: Literal["blocks"] = "blocks"
    stem: Stem = Stem()
    stages: tuple[tuple[Block, ...], ...] = Field(min_length=STAGES, max_length=STAGES)

    @model_validator(mode="after")
    def _each_stage_halves(self) -> BlockBackbone:
        for number, stage in enumerate(self.stages, 1):
            if not stage:
                raise ValueError(f"stage {number} has no block")
            if [block.stride for block in stage] != [2] + [1] * (len(stage) - 1):
                raise ValueError(
                    f"stage {number}: the first block must have stride 2, the others 1"
                )
        return self

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the four feature maps, strides 4, 8, 16, 32."""
        return tuple(stage[-1].channels for stage in self.stages)


class PathNeck(_Part):
    """Top-down and bottom-up paths with searched laterals, and a pooled fifth level."""

    type: Literal["paths"] = "paths"
    top_down: tuple[Block, ...] = Field(min_length=STAGES, max_length=STAGES)
    bottom_up: tuple[Block, ...] = Field(min_length=STAGES, max_length=STAGES)

    @model_validator(mode="after")
    def _one_width(self) -> PathNeck:
        blocks = (*self.top_down, *self.bottom_up)
        if len({block.channels for block in blocks}) > 1 or any(b.stride > 1 for b in blocks):
            raise ValueError("all laterals of the neck need the same channels, and stride 1")
        return self

    @property
    def channels(self) -> int:
        """Channels of every pyramid level."""
        return self.top_down[0].channels


class Rpn(_Part):
    """The region proposal network, which is not searched: one 3×3 convolution and two 1×1."""

    channels: PositiveInt = 256
    anchor_scale: PositiveInt = 8
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)


class BlockHead(_Part):
    """Searched blocks on RoI features, a fully connected layer, class scores and class-aware boxes."""

    type: Literal["blocks"] = "blocks"
    roi_size: PositiveInt = 7
    blocks: tuple[Block, ...] = Field(min_length=1)
    fc_channels: PositiveInt = 512

    @model_validator(mode="after")
    def _keep_size(self) -> BlockHead:
        if any(block.stride > 1 for block in self.blocks):
            raise ValueError("the blocks of the head need stride 1")
        return self


class Architecture(_Part):
    """A detector's architecture. `input_size` is (height, width) in pixels; costs are stated there."""

    format: Literal[1] = FORMAT
    family: Literal["hit_detector"]
    classes: PositiveInt
    input_size: tuple[PositiveInt, PositiveInt]
    backbone: BlockBackbone
    neck: PathNeck
    rpn: Rpn
    head: BlockHead
    provenance: dict[str, Any] = {}

    def blocks(self, component: str) -> dict[str, Block]:
        """The searched blocks of a component by name, in the order in which data flows.

        Raises:
            ValueError: there is no such component.
        """
        if component == "backbone":
            return {
                f"stage{s}.block{b}": block
                for s, stage in enumerate(self.backbone.stages, 1)
                for b, block in enumerate(stage, 1)
            }
        if component == "neck":
            paths = (("top_down", self.neck.top_down), ("bottom_up", self.neck.bottom_up))
            return {
                f"{path}{level}": block
                for path, blocks in paths
                for level, block in enumerate(blocks, 1)
            }
        if component == "head":
            return {f"block{b}": block for b, block in enumerate(self.head.blocks, 1)}
        raise ValueError(f"unknown component {component!r}: expected one of {COMPONENTS}")

    @property
    def is_supernet(self) -> bool:
        """Whether any block still holds candidates."""
        return any(
            not isinstance(block.operation, str)
            for component in COMPONENTS
            for block in self.blocks(component).values()
        )

    def with_operations(
        self, choose: Callable[[str, str, Block], str | tuple[str, ...]]
    ) -> Architecture:
        """The same architecture with each block's operation replaced by `choose(component, name, block)`."""

        def renew(component: str) -> Iterator[Block]:
            for name, block in self.blocks(component).items():
                operation = choose(component, name, block)
                yield Block(operation=operation, channels=block.channels, stride=block.stride)

        backbone, neck, head = (renew(component) for component in COMPONENTS)
        stages = tuple(tuple(next(backbone) for _ in stage) for stage in self.backbone.stages)
        return self.model_copy(
            update={
                "backbone": self.backbone.model_copy(update={"stages": stages}),
                "neck": self.neck.model_copy(
                    update={
                        path: tuple(next(neck) for _ in range(STAGES))
                        for path in ("top_down", "bottom_up")
                    }
                ),
                "head": self.head.model_copy(update={"blocks": tuple(head)}),
            }
        )

    def save(self, path: Path) -> None:
        """Write the architecture file, atomically."""
        write_json(path, json.loads(self.model_dump_json()))

    @classmethod
    def load(cls, path: Path) -> Architecture:
        """Read an architecture file.

        Raises:
            ArtifactError: the file is missing, cut off or not JSON.
            ArchitectureError: it does not describe a network.
        """
        content = read_json(path)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise ArchitectureError(f"{path} is not an architecture file: {problems}") from error


class ArchitectureError(DetSearchError):
    """An architecture file that does not describe a network."""
