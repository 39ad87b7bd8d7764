"""From the config to the supernets of Hit-Detector, and from a component to its choice layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from pipeline.artifacts.files import read_json
from pipeline.config.hit_detector import ScreeningConfig
from pipeline.config.supernet import Depths, SupernetConfig
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import (
    COMPONENTS,
    Architecture,
    Block,
    BlockBackbone,
    BlockHead,
    Head,
    PathNeck,
    Rpn,
    Stem,
    TowerHead,
)
from pipeline.supernet.choice import ChoiceLayer, choice_layers

Operations = str | Sequence[str]

SUPERNET = "supernet.json"
"""The file of a search supernet's architecture, beside its weights."""


def supernet_architecture(
    shape: SupernetConfig,
    classes: int,
    depth: Depths,
    operations: Mapping[str, Operations],
    provenance: dict[str, Any] | None = None,
) -> Architecture:
    """An architecture of the shape's family whose every block holds its component's operations.

    Args:
        shape: the outer shape.
        classes: number of object classes.
        depth: blocks in each backbone stage.
        operations: per component one operation, or the candidates.
        provenance: what to note about its origin.

    Raises:
        ValueError: a component has no operations.
    """
    missing = [component for component in COMPONENTS if component not in operations]
    if missing:
        raise ValueError(f"no operations given for {', '.join(missing)}")

    def block(component: str, channels: int, stride: int = 1) -> Block:
        chosen = operations[component]
        return Block.model_validate(
            {
                "operation": chosen if isinstance(chosen, str) else tuple(chosen),
                "channels": channels,
                "stride": stride,
            }
        )

    lateral = block("neck", shape.neck_channels)
    layers = (block("head", shape.neck_channels),) * shape.head_blocks
    head: Head
    if shape.one_stage:
        # RetinaNet's pyramid begins at stride 8, and ends in two convolutions of stride 2
        neck = PathNeck(
            first_stage=2, top_down=(lateral,) * 3, bottom_up=(lateral,) * 3, extra="convolution"
        )
        head = TowerHead(class_tower=layers, box_tower=layers, anchor_scale=shape.anchor_scale)
    else:
        neck = PathNeck(top_down=(lateral,) * 4, bottom_up=(lateral,) * 4)
        head = BlockHead(roi_size=shape.roi_size, blocks=layers, fc_channels=shape.head_fc_channels)
    return Architecture(
        family="hit_detector",
        classes=classes,
        input_size=shape.input_size,
        backbone=BlockBackbone(
            stem=Stem(channels=shape.stem_channels),
            stages=tuple(
                tuple(block("backbone", width, 2 if number == 0 else 1) for number in range(blocks))
                for width, blocks in zip(shape.channels, depth, strict=True)
            ),
        ),
        neck=neck,
        rpn=None
        if shape.one_stage
        else Rpn(channels=shape.rpn_channels, anchor_scale=shape.anchor_scale),
        head=head,
        provenance=provenance or {},
    )


def screening_architecture(shape: SupernetConfig, candidates: Sequence[str]) -> Architecture:
    """The supernet of all candidates at the screening depth, as the backbone's pretraining uses it."""
    operations: dict[str, Operations] = {name: tuple(candidates) for name in COMPONENTS}
    return supernet_architecture(shape, 1, shape.screening_depth, operations)


def search_architecture(
    shape: SupernetConfig, operations: Mapping[str, Operations]
) -> Architecture:
    """The supernet of the sub search spaces at the search depth, as the pretraining uses it."""
    return supernet_architecture(shape, 1, shape.depth, operations)


def kept_operations(folder: Path) -> tuple[str, ...]:
    """The sub search space that a screening published in `folder`, best operation first."""
    return tuple(read_json(folder / "sub_search_space.json")["kept"])


def stated_space(component: str, operations: Sequence[str]) -> dict[str, Any]:
    """`sub_search_space.json` of a space that was stated and not screened: all operations are alike."""
    return {
        "format": 1,
        "component": component,
        "kept": list(operations),
        "scores": {name: 1 / len(operations) for name in operations},
        "removed": [],
    }


def screening_operations(
    components: Sequence[str], settings: ScreeningConfig, screened: Mapping[str, Path]
) -> dict[str, Operations]:
    """What each component holds while some are screened: candidates, its sub space, or a default.

    Args:
        components: those under screening: one, or all.
        settings: the `screening` section.
        screened: by component, the folder of its screening, where it came before.

    Raises:
        DetSearchError: the backbone was not screened before the neck or the head.
    """
    operations: dict[str, Operations] = {}
    for other in COMPONENTS:
        if other in components:
            operations[other] = settings.candidates
        elif other in screened:
            operations[other] = kept_operations(screened[other])
        elif other == "backbone":
            raise DetSearchError(f"screening the {components[0]} needs the screened backbone")
        else:
            operations[other] = getattr(settings.defaults, other)
    return operations


MODULE_PREFIXES = {
    "backbone.": "backbone",
    "neck.": "neck",
    "roi_head.bbox_head.": "head",
    "bbox_head.": "head",
}
"""Where parameters live in an mmdet detector, two-stage or one-stage, and of which component they are."""


def component_choices(model: nn.Module) -> dict[str, dict[str, ChoiceLayer]]:
    """Per component its choice layers, by the names that `Architecture.blocks` gives the blocks."""
    found: dict[str, dict[str, ChoiceLayer]] = {component: {} for component in COMPONENTS}
    for dotted, layer in choice_layers(model).items():
        component, name = layer_of(dotted)
        found[component][name] = layer
    return found


def layer_of(dotted: str) -> tuple[str, str]:
    """The component of a choice layer by its module's name in a detector, and its block's name.

    Raises:
        ValueError: it lies in no component.
    """
    for prefix, component in MODULE_PREFIXES.items():
        if dotted.startswith(prefix):
            return component, block_name(component, dotted.removeprefix(prefix))
    raise ValueError(f"{dotted} lies in no searched component")


def block_name(component: str, dotted: str) -> str:
    """The block's name in `Architecture.blocks` of a module name within its component."""
    parts = dotted.split(".")
    if component == "backbone":
        _, stage, block = parts[:3]
        return f"stage{int(stage) + 1}.{block}"
    path, place = parts[:2]
    # the RoI head's modules have the names of its blocks; paths and towers are lists
    return place if path == "blocks" else f"{path}{int(place) + 1}"
