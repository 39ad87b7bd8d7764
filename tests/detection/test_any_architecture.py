"""Any architecture of the format is read back equal and builds; a damaged file is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.manifest import Origin, open_artifact
from pipeline.artifacts.publish import publish
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import (
    FAMILIES,
    Architecture,
    Backbone,
    Block,
    BlockBackbone,
    BlockHead,
    ConvFcHead,
    FcosHead,
    FpnNeck,
    Head,
    InvertedBlock,
    MergingCell,
    MobileNetV2Backbone,
    NasFpnNeck,
    Neck,
    PathNeck,
    RepPointsHead,
    ResidualBlock,
    ResNetBackbone,
    RetinaHead,
    Rpn,
    ShuffleBackbone,
    ShuffleBlock,
    Stem,
    TowerHead,
)
from pipeline.search_space.names import CANDIDATES

WIDTHS = st.integers(1, 4).map(lambda k: 2 * k)
OPERATIONS = st.one_of(
    st.sampled_from(CANDIDATES),
    st.lists(st.sampled_from(CANDIDATES), min_size=1, max_size=3, unique=True).map(tuple),
)


@st.composite
def blocks(draw: st.DrawFn, channels: int | None = None, stride: int = 1) -> Block:
    width = draw(WIDTHS) if channels is None else channels
    return Block(operation=draw(OPERATIONS), channels=width, stride=stride)  # type: ignore[arg-type]


@st.composite
def residual(draw: st.DrawFn, stride: int = 1) -> ResidualBlock:
    kind, groups = draw(st.sampled_from([("basic", 1), ("bottleneck", 1), ("bottleneck", 2)]))
    return ResidualBlock(
        operation=kind,  # type: ignore[arg-type]
        channels=draw(WIDTHS),
        mid_channels=draw(WIDTHS),
        groups=groups,
        stride=stride,  # type: ignore[arg-type]
    )


@st.composite
def inverted(draw: st.DrawFn, stride: int = 1) -> InvertedBlock:
    return InvertedBlock(channels=draw(WIDTHS), mid_channels=draw(WIDTHS), stride=stride)  # type: ignore[arg-type]


@st.composite
def shuffling(draw: st.DrawFn) -> ShuffleBackbone:
    """Each stage as wide as its input and a width, as it keeps the input's channels."""
    channels = stem = draw(WIDTHS)
    rows = []
    for _ in range(4):
        channels += draw(WIDTHS)
        rows.append(
            tuple(
                ShuffleBlock(
                    operation=draw(st.sampled_from(["shuffle", "xception"])),
                    kernel=draw(st.sampled_from([3, 5, 7])),
                    channels=channels,
                    mid_channels=draw(WIDTHS),
                    stride=1 if number else 2,
                )
                for number in range(draw(st.integers(1, 2)))
            )
        )
    return ShuffleBackbone(
        stem=Stem(channels=stem, bias=draw(st.booleans())),
        stages=tuple(rows),
        last_channels=draw(st.none() | WIDTHS),
    )


@st.composite
def cells(draw: st.DrawFn, levels: int) -> tuple[MergingCell, ...]:
    """A cell for each level in any order, and up to two more."""
    order = [*draw(st.permutations(range(levels)))]
    order += draw(st.lists(st.integers(0, levels - 1), max_size=2))
    places = [st.integers(0, levels + number - 1) for number in range(len(order))]
    return tuple(
        MergingCell(
            operation=draw(st.sampled_from(["sum", "attention"])),
            inputs=(draw(place), draw(place)),
            level=level,
            convolution=draw(st.booleans()),
        )
        for place, level in zip(places, order, strict=True)
    )


def stages(draw: st.DrawFn, block: Any, strides: tuple[int, ...] = (2, 2, 2, 2)) -> Any:
    """Stages of one to two blocks each, the first with the stage's stride."""
    return tuple(
        (draw(block(stride=stride)), *(draw(block()) for _ in range(draw(st.integers(0, 1)))))
        for stride in strides
    )


@st.composite
def backbones(draw: st.DrawFn) -> Backbone:
    match draw(st.sampled_from(["blocks", "resnet", "mobilenetv2", "shuffle"])):
        case "blocks":
            stem = Stem(channels=draw(WIDTHS), bias=draw(st.booleans()))
            return BlockBackbone(stem=stem, stages=stages(draw, blocks))
        case "resnet":
            return ResNetBackbone(
                stem_channels=draw(WIDTHS), stages=stages(draw, residual, (1, 2, 2, 2))
            )
        case "shuffle":
            return draw(shuffling())
        case _:
            strides = draw(st.sampled_from([(2, 2, 2, 2), (1, 2, 2, 2, 1, 2, 1)]))
            return MobileNetV2Backbone(
                stem_channels=draw(WIDTHS),
                stages=stages(draw, inverted, strides),
                last_channels=draw(WIDTHS),
            )


@st.composite
def necks(draw: st.DrawFn, one_stage: bool) -> Neck:
    width = draw(WIDTHS)
    if draw(st.booleans()):
        first = draw(st.sampled_from([1, 2])) if one_stage else 1
        path = st.tuples(*[blocks(channels=width)] * (5 - first))
        extra = draw(st.sampled_from(["pool", "convolution"]))
        return PathNeck(
            first_stage=first,  # type: ignore[arg-type]
            top_down=draw(path),
            bottom_up=draw(path),
            extra=extra,  # type: ignore[arg-type]
        )
    if draw(st.booleans()):
        levels = draw(st.integers(4, 6))
        return NasFpnNeck(
            channels=width,
            first_stage=draw(st.sampled_from([1, 2])) if one_stage else 1,
            levels=levels,
            stacks=draw(st.integers(1, 2)),
            cells=draw(cells(levels)),
        )
    return FpnNeck(
        channels=width,
        first_stage=draw(st.sampled_from([1, 2])) if one_stage else 1,
        levels=draw(st.integers(4, 6)),
        extra=draw(st.sampled_from(["pool", "convolution", "convolution_on_output"])),
        norm_groups=draw(st.sampled_from([None, 1, 2])),
    )


RATIOS = st.lists(st.floats(0.1, 9), min_size=1, max_size=3).map(tuple)


@st.composite
def heads(draw: st.DrawFn, one_stage: bool) -> Head:
    towers = st.lists(blocks(), min_size=1, max_size=2).map(tuple)
    if one_stage and draw(st.booleans()):
        # of any lengths and widths
        return TowerHead(
            class_tower=draw(towers),
            box_tower=draw(towers),
            anchor_scale=draw(st.integers(1, 8)),
            scales_per_octave=draw(st.integers(1, 4)),
            anchor_ratios=draw(RATIOS),
        )
    if one_stage:
        tower = (draw(WIDTHS),) * draw(st.integers(1, 2))
        kind = draw(st.sampled_from(["retina", "fcos", "reppoints"]))
        if kind == "fcos":
            scale = draw(st.integers(1, 9))
            return FcosHead(class_tower=tower, box_tower=tower, norm_groups=2, range_scale=scale)
        if kind == "reppoints":
            return RepPointsHead(
                class_tower=tower,
                box_tower=tower,
                norm_groups=draw(st.sampled_from([1, 2])),
                point_channels=draw(WIDTHS),
                base_scale=draw(st.integers(1, 9)),
            )
        return RetinaHead(class_tower=tower, box_tower=tower, anchor_ratios=draw(RATIOS))
    size = draw(st.integers(1, 5))
    if draw(st.booleans()):
        inside = tuple(draw(st.lists(blocks(), min_size=1, max_size=2)))
        return BlockHead(roi_size=size, blocks=inside, fc_channels=draw(WIDTHS))
    convs = (draw(WIDTHS),) * draw(st.integers(0, 2))
    return ConvFcHead(roi_size=size, convs=convs, fcs=(draw(WIDTHS),) * draw(st.integers(1, 2)))


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """Every kind of component with every other, as far as the format allows."""
    one_stage = draw(st.booleans())
    head = draw(heads(one_stage))
    family = draw(st.sampled_from(["hit_detector", FAMILIES.get(head.type, head.type)]))
    return Architecture(
        family=family,  # type: ignore[arg-type]
        classes=draw(st.integers(1, 5)),
        input_size=(64, 96),
        backbone=draw(backbones()),
        neck=draw(necks(one_stage)),
        rpn=None if one_stage else Rpn(channels=draw(WIDTHS), anchor_ratios=draw(RATIOS)),
        head=head,
        provenance=draw(st.dictionaries(st.text(max_size=5), st.integers(), max_size=2)),
    )


REPEATED = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=25, **REPEATED)
@given(architecture=architectures())
def test_it_is_read_back_equal_and_builds(architecture: Architecture, tmp_path: Path) -> None:
    path = tmp_path / "architecture.json"
    architecture.save(path)
    again = Architecture.load(path)
    assert again == architecture
    assert again.is_supernet == architecture.is_supernet
    model: Any = build_detector(again, Surroundings()).eval()
    with torch.no_grad():
        images = torch.zeros(1, 3, 64, 96)
        maps = model.extract_feat(images)
    sides = [(-(-64 // stride), -(-96 // stride)) for stride in again.neck.strides]
    assert [tuple(level.shape[2:]) for level in maps] == sides
    assert {level.shape[1] for level in maps} == {again.neck.channels}
    if isinstance(again.head, TowerHead):
        with torch.no_grad():
            scores, boxes = model.bbox_head(maps)
        anchors = again.head.scales_per_octave * len(again.head.anchor_ratios)
        assert [tuple(level.shape[2:]) for level in scores] == sides
        assert {level.shape[1] for level in scores} == {anchors * again.classes}
        assert {level.shape[1] for level in boxes} == {anchors * 4}


def damaged(content: bytes, draw: Callable[[st.SearchStrategy], Any]) -> bytes:
    """Other bytes at a place, a part left out, or the end cut off."""
    start = draw(st.integers(0, len(content) - 1))
    end = draw(st.integers(start, min(start + 8, len(content))))
    match draw(st.sampled_from(["replace", "insert", "cut", "flip"])):
        case "replace":
            return content[:start] + draw(st.binary(max_size=8)) + content[end:]
        case "insert":
            return content[:start] + draw(st.binary(min_size=1, max_size=8)) + content[start:]
        case "cut":
            return content[:start]
        case _:
            bit = 1 << draw(st.integers(0, 7))
            return content[:start] + bytes([content[start] ^ bit]) + content[start + 1 :]


@settings(max_examples=300, **REPEATED)
@given(data=st.data())
def test_damage_is_refused_with_an_error_of_ours(
    data: st.DataObject, tmp_path: Path, published: Path
) -> None:
    """As an artifact always; a file alone unless the damage made another architecture of it."""
    path = published / "architecture.json"
    whole = path.read_bytes()
    content = damaged(whole, data.draw)
    if content == whole:
        return
    path.write_bytes(content)
    try:
        with pytest.raises(ArtifactError, match=str(path)):
            open_artifact(published / "manifest.json")
        try:
            Architecture.load(path).save(tmp_path / "again.json")
        except DetSearchError as error:
            assert "architecture.json" in str(error) or "again.json" in str(error)
    finally:
        path.write_bytes(whole)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """An artifact with the architecture of the format's examples."""
    block = {"operation": "ir_k3_d1_e3", "channels": 8, "stride": 1}
    content = {
        "format": 1,
        "family": "hit_detector",
        "classes": 3,
        "input_size": [64, 96],
        "backbone": {
            "type": "blocks",
            "stem": {"channels": 8, "bias": False},
            "stages": [[block | {"stride": 2}, block] for _ in range(4)],
        },
        "neck": {"type": "paths", "top_down": [block] * 4, "bottom_up": [block] * 4},
        "rpn": {"channels": 8, "anchor_scale": 4, "anchor_ratios": [0.5, 1.0, 2.0]},
        "head": {"type": "blocks", "roi_size": 5, "blocks": [block], "fc_channels": 16},
        "provenance": {"made": {"by": "hand"}},
    }
    origin = Origin(stage="derive", config={}, code=None, inputs={}, seed=0)
    folder = tmp_path / "published"
    publish(folder, {"architecture.json": json.dumps(content).encode()}, origin)
    assert Architecture.load(folder / "architecture.json").classes == 3
    return folder


@pytest.mark.parametrize("ratios", [[], [0.0], [-1.0], "[1e999]"])
def test_anchor_ratios_that_make_no_anchors_are_refused(published: Path, ratios: Any) -> None:
    path = published / "architecture.json"
    shown = ratios if isinstance(ratios, str) else json.dumps(ratios)
    path.write_text(path.read_text().replace("[0.5, 1.0, 2.0]", shown))
    with pytest.raises(DetSearchError, match=r"architecture\.json is not.*rpn.anchor_ratios"):
        Architecture.load(path)
