"""Standard components in the architecture format: written and read back, and refused where wrong."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.search_space.architecture import (
    Architecture,
    ArchitectureError,
    ConvFcHead,
    FpnNeck,
    RetinaHead,
    Rpn,
)
from pipeline.search_space.standard import mobilenetv2_backbone, resnet_backbone
from pipeline.zoo.architectures import zoo_architecture


def _content(**changes: Any) -> dict[str, Any]:
    architecture = Architecture(
        family="faster_rcnn",
        classes=3,
        input_size=(64, 96),
        backbone=resnet_backbone(50),
        neck=FpnNeck(),
        rpn=Rpn(),
        head=ConvFcHead(fcs=(1024, 1024)),
    )
    return architecture.model_dump(mode="json") | changes


RETINA = {"rpn": None, "head": RetinaHead(class_tower=(8,), box_tower=(8,)).model_dump(mode="json")}
MOBILE = mobilenetv2_backbone().model_dump(mode="json")
BOTH = zoo_architecture("nas_fpn_detnas_1_3g").model_dump(mode="json")


def test_strides_and_widths_are_those_of_the_papers() -> None:
    assert resnet_backbone(50).out_channels == (256, 512, 1024, 2048)
    assert resnet_backbone(34, base_channels=16).out_channels == (16, 32, 64, 128)
    block = resnet_backbone(101, groups=32, group_width=4).stages[2][5]
    assert (block.mid_channels, block.channels, block.groups) == (512, 1024, 32)
    assert mobilenetv2_backbone().out_channels == (24, 32, 96, 320)
    assert FpnNeck().strides == (4, 8, 16, 32, 64)
    assert FpnNeck(first_stage=2, extra="convolution").strides == (8, 16, 32, 64, 128)
    with pytest.raises(ValueError, match=r"depth 20.*18, 34, 50"):
        resnet_backbone(20)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"backbone": MOBILE},
        {"backbone": BOTH["backbone"], "neck": BOTH["neck"]},
        {**RETINA, "family": "retinanet"},
        {**RETINA, "family": "hit_detector"},
    ],
)
def test_what_is_written_is_read_back_equal(changes: dict[str, Any], tmp_path: Path) -> None:
    architecture = Architecture.model_validate(_content(**changes))
    architecture.save(tmp_path / "a.json")
    assert Architecture.load(tmp_path / "a.json") == architecture


def _set(*path: Any, value: Any, content: dict[str, Any] | None = None) -> dict[str, Any]:
    content = copy.deepcopy(content or _content())
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


BROKEN = {
    r"backbone\.stages\.1\.0\.operation.*'basic' or 'bottleneck'": lambda: _set(
        "backbone", "stages", 1, 0, "operation", value="dense"
    ),
    r"backbone\.stages\.0\.1: .*not a multiple of 3 groups": lambda: _set(
        "backbone", "stages", 0, 1, "groups", value=3
    ),
    r"backbone: .*stage 1: the first block must have stride 1": lambda: _set(
        "backbone", "stages", 0, 0, "stride", value=2
    ),
    r"backbone: .*stage 3 has no block": lambda: _set("backbone", "stages", 2, value=[]),
    r"backbone: .*'resnet'": lambda: _set("backbone", "type", value="dense"),
    r"stage 1: mid_channels of a depthwise block .* 32, not 30": lambda: _set(
        "backbone", "stages", 0, 0, "mid_channels", value=30, content=_content(backbone=MOBILE)
    ),
    r"4 of the stages must have stride 2, not 3": lambda: _set(
        "backbone", "stages", 5, 0, "stride", value=1, content=_content(backbone=MOBILE)
    ),
    r"neck: .*levels must be at least 4": lambda: _set("neck", "levels", value=3),
    r"head: .*all fcs need the same channels": lambda: _set("head", "fcs", value=[8, 9]),
    r"head: .*class_tower and box_tower": lambda: _set(
        "head", "box_tower", value=[8, 8], content=_content(**RETINA, family="retinanet")
    ),
    r"rpn must be null with a head of type retina": lambda: _content(rpn=None),
    r"family retinanet does not go with a head of type conv_fc": lambda: _content(
        family="retinanet"
    ),
    r"stage 2: its first block must have more than the 96 channels of its input": lambda: _set(
        "backbone", "stages", 1, 0, "channels", value=96, content=BOTH
    ),
    r"stage 1: its blocks must have the same, even channels": lambda: _set(
        "backbone", "stages", 0, 2, "channels", value=98, content=BOTH
    ),
    r"backbone: .*stage 4: the first block must have stride 2, the others 1": lambda: _set(
        "backbone", "stages", 3, 1, "stride", value=2, content=BOTH
    ),
    r"backbone\.stages\.0\.0\.kernel": lambda: _set(
        "backbone", "stages", 0, 0, "kernel", value=4, content=BOTH
    ),
    r"neck: .*cell 2: inputs must be below 6, the number of levels and of cells": lambda: _set(
        "neck", "cells", 1, "inputs", value=[6, 1], content=BOTH
    ),
    r"neck: .*each of the 5 levels needs a cell, and no other": lambda: _set(
        "neck", "cells", 8, "level", value=4, content=BOTH
    ),
    r"finest levels have strides 4 to 32": lambda: _set("neck", "first_stage", value=2),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_part_is_refused_with_its_place(message: str, tmp_path: Path) -> None:
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(BROKEN[message]()))
    with pytest.raises(ArchitectureError, match=f"architecture.json is not.*{message}"):
        Architecture.load(path)
