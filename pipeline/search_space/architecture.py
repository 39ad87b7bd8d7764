"""The architecture format: the one description of a network that every stage reads and writes.

A block names its operation, or several candidate operations: with one name in each block the
architecture is a network, with several it is a supernet. A component's `type` says what it is made
of, so searched and standard components go together. `pipeline.detection.builder` turns any of it
into an mmdet config.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, PositiveInt, ValidationError, model_validator

from pipeline.artifacts.files import read_json, write_json
from pipeline.errors import DetSearchError
from pipeline.search_space.backbones import (
    Backbone,
    BlockBackbone,
    InvertedBlock,
    MobileNetV2Backbone,
    ResidualBlock,
    ResNetBackbone,
    ShuffleBackbone,
    ShuffleBlock,
    Stem,
    VggBackbone,
)
from pipeline.search_space.block import STAGES, Block, Part
from pipeline.search_space.heads import (
    BlockHead,
    ConvFcHead,
    FcosHead,
    Head,
    OneStageHead,
    RepPointsHead,
    RetinaHead,
    Rpn,
    SsdHead,
    TowerHead,
)
from pipeline.search_space.necks import FpnNeck, MergingCell, NasFpnNeck, Neck, PathNeck, SsdNeck

__all__ = [
    "ARCHITECTURE",
    "COMPONENTS",
    "FORMAT",
    "STAGES",
    "Architecture",
    "ArchitectureError",
    "Backbone",
    "Block",
    "BlockBackbone",
    "BlockHead",
    "ComponentName",
    "ConvFcHead",
    "FcosHead",
    "FpnNeck",
    "Head",
    "InvertedBlock",
    "MergingCell",
    "MobileNetV2Backbone",
    "NasFpnNeck",
    "Neck",
    "PathNeck",
    "RepPointsHead",
    "ResNetBackbone",
    "ResidualBlock",
    "RetinaHead",
    "Rpn",
    "ShuffleBackbone",
    "ShuffleBlock",
    "SsdHead",
    "SsdNeck",
    "Stem",
    "TowerHead",
    "VggBackbone",
]

ARCHITECTURE = "architecture.json"
"""The file of an architecture, in whatever folder."""
FORMAT = 1
ComponentName = Literal["backbone", "neck", "head"]
COMPONENTS: tuple[ComponentName, ...] = get_args(ComponentName)
FAMILIES = {
    "blocks": "faster_rcnn",
    "conv_fc": "faster_rcnn",
    "retina": "retinanet",
    "towers": "retinanet",
}
"""The family of a standard detector by the type of its head, where it is not that type itself."""


class Architecture(Part):
    """A detector's architecture. `input_size` is (height, width) in pixels; costs are stated there.

    `family` is the kind of network: `hit_detector` is searched, in any of its components;
    `faster_rcnn` is the standard two-stage detector, `retinanet`, `fcos`, `reppoints` and `ssd` are
    one-stage ones. A one-stage detector has no `rpn` (null).
    """

    format: Literal[1] = FORMAT
    family: Literal["hit_detector", "faster_rcnn", "retinanet", "fcos", "reppoints", "ssd"]
    classes: PositiveInt
    input_size: tuple[PositiveInt, PositiveInt]
    backbone: Backbone
    neck: Neck
    rpn: Rpn | None
    head: Head
    provenance: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _components_fit(self) -> Architecture:
        one_stage = isinstance(self.head, OneStageHead)
        if one_stage != (self.rpn is None):
            raise ValueError(
                "rpn must be null with a head of type retina, towers, fcos, reppoints or ssd, and "
                "only with them"
            )
        if self.family not in ("hit_detector", FAMILIES.get(self.head.type, self.head.type)):
            raise ValueError(
                f"family {self.family} does not go with a head of type {self.head.type}"
            )
        of_ssd = {
            "backbone": self.backbone.type == "vgg",
            "neck": isinstance(self.neck, SsdNeck),
            "head": isinstance(self.head, SsdHead),
        }
        if len(set(of_ssd.values())) > 1:
            raise ValueError(
                "a backbone of type vgg, a neck and a head of type ssd go together only"
            )
        if isinstance(self.head, SsdHead) and len(self.head.anchor_ratios) != len(
            self.neck.strides
        ):
            raise ValueError(f"anchor_ratios must be of {len(self.neck.strides)} levels")
        if not one_stage and self.neck.strides[:STAGES] != (4, 8, 16, 32):
            raise ValueError("a head on RoIs needs a neck whose finest levels have strides 4 to 32")
        return self

    def blocks(self, component: str) -> dict[str, Block]:
        """The searched blocks of a component by name, in the order in which data flows.

        A standard component has none.

        Raises:
            ValueError: there is no such component.
        """
        if component not in COMPONENTS:
            raise ValueError(f"unknown component {component!r}: expected one of {COMPONENTS}")
        match getattr(self, component):
            case BlockBackbone(stages=stages):
                return {
                    f"stage{s}.block{b}": block
                    for s, stage in enumerate(stages, 1)
                    for b, block in enumerate(stage, 1)
                }
            case PathNeck(top_down=top_down, bottom_up=bottom_up):
                return {
                    f"{path}{level}": block
                    for path, blocks in (("top_down", top_down), ("bottom_up", bottom_up))
                    for level, block in enumerate(blocks, 1)
                }
            case BlockHead(blocks=blocks):
                return {f"block{b}": block for b, block in enumerate(blocks, 1)}
            case TowerHead(class_tower=class_tower, box_tower=box_tower):
                return {
                    f"{tower}{b}": block
                    for tower, blocks in (("class_tower", class_tower), ("box_tower", box_tower))
                    for b, block in enumerate(blocks, 1)
                }
            case _:
                return {}

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

        update: dict[str, Part] = {}
        if isinstance(self.backbone, BlockBackbone):
            fresh = renew("backbone")
            stages = tuple(tuple(next(fresh) for _ in stage) for stage in self.backbone.stages)
            update["backbone"] = self.backbone.model_copy(update={"stages": stages})
        if isinstance(self.neck, PathNeck):
            fresh = renew("neck")
            update["neck"] = self.neck.model_copy(
                update={
                    path: tuple(next(fresh) for _ in getattr(self.neck, path))
                    for path in ("top_down", "bottom_up")
                }
            )
        if isinstance(self.head, BlockHead):
            update["head"] = self.head.model_copy(update={"blocks": tuple(renew("head"))})
        if isinstance(self.head, TowerHead):
            fresh = renew("head")
            update["head"] = self.head.model_copy(
                update={
                    tower: tuple(next(fresh) for _ in getattr(self.head, tower))
                    for tower in ("class_tower", "box_tower")
                }
            )
        return self.model_copy(update=update)

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
                f"{'.'.join(map(str, _place(problem['loc'])))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise ArchitectureError(f"{path} is not an architecture file: {problems}") from error


def _place(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Where a problem is in the file: pydantic puts a component's type after its name."""
    if location and location[0] in COMPONENTS:
        return location[:1] + location[2:]
    return location


class ArchitectureError(DetSearchError):
    """An architecture file that does not describe a network."""
