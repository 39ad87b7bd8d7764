"""The architecture format: what is written is read back, and a broken file says where it is broken."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.artifacts.errors import ArtifactError
from pipeline.search_space.architecture import (
    COMPONENTS,
    Architecture,
    ArchitectureError,
    Block,
    BlockBackbone,
    BlockHead,
    PathNeck,
    Rpn,
    Stem,
)
from pipeline.search_space.names import CANDIDATES

OPERATIONS = st.one_of(
    st.sampled_from([*CANDIDATES, "conv_k1_d1", "ir_k9_d4_e2"]),
    st.lists(st.sampled_from(CANDIDATES), min_size=1, max_size=5, unique=True).map(tuple),
)
WIDTHS = st.integers(1, 2048)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    def block(channels: int, stride: int = 1) -> Block:
        return Block(operation=draw(OPERATIONS), channels=channels, stride=stride)  # type: ignore[arg-type]

    def stage() -> tuple[Block, ...]:
        widths = draw(st.lists(WIDTHS, min_size=1, max_size=4))
        return tuple(block(width, 2 if number == 0 else 1) for number, width in enumerate(widths))

    neck = draw(WIDTHS)
    return Architecture(
        family="hit_detector",
        classes=draw(st.integers(1, 100)),
        input_size=draw(st.tuples(WIDTHS, WIDTHS)),
        backbone=BlockBackbone(
            stem=Stem(channels=draw(WIDTHS), bias=draw(st.booleans())),
            stages=tuple(stage() for _ in range(4)),
        ),
        neck=PathNeck(
            top_down=tuple(block(neck) for _ in range(4)),
            bottom_up=tuple(block(neck) for _ in range(4)),
        ),
        rpn=Rpn(
            channels=draw(WIDTHS),
            anchor_ratios=tuple(draw(st.lists(st.floats(0.1, 9), min_size=1, max_size=3))),
        ),
        head=BlockHead(
            roi_size=draw(st.integers(1, 14)),
            blocks=tuple(block(width) for width in draw(st.lists(WIDTHS, min_size=1, max_size=4))),
            fc_channels=draw(WIDTHS),
        ),
        provenance=draw(st.dictionaries(st.text(max_size=5), JSON, max_size=2)),
    )


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(architecture=architectures())
def test_what_is_written_is_read_back_equal(architecture: Architecture, tmp_path: Path) -> None:
    path = tmp_path / "architecture.json"
    architecture.save(path)
    assert Architecture.load(path) == architecture
    first = path.read_bytes()
    Architecture.load(path).save(path)
    assert path.read_bytes() == first


def _block(operation: Any = "conv_k3_d1", channels: int = 8, stride: int = 1) -> dict[str, Any]:
    return {"operation": operation, "channels": channels, "stride": stride}


def _content() -> dict[str, Any]:
    """A valid architecture file, written by hand as docs/reference/formats.md shows it."""
    return {
        "format": 1,
        "family": "hit_detector",
        "classes": 3,
        "input_size": [64, 96],
        "backbone": {
            "type": "blocks",
            "stem": {"channels": 8, "bias": False},
            "stages": [[_block("ir_k3_d1_e3", 8, 2), _block("sep_k5_d2")] for _ in range(4)],
        },
        "neck": {
            "type": "paths",
            "top_down": [_block() for _ in range(4)],
            "bottom_up": [_block() for _ in range(4)],
        },
        "rpn": {"channels": 8, "anchor_scale": 4, "anchor_ratios": [0.5, 1.0, 2.0]},
        "head": {
            "type": "blocks",
            "roi_size": 5,
            "blocks": [_block(), _block()],
            "fc_channels": 16,
        },
        "provenance": {},
    }


def _load(content: Any, folder: Path) -> Architecture:
    path = folder / "architecture.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return Architecture.load(path)


def test_blocks_are_named_in_the_order_in_which_data_flows(tmp_path: Path) -> None:
    architecture = _load(_content(), tmp_path)
    assert [list(architecture.blocks(component)) for component in COMPONENTS] == [
        [f"stage{s}.block{b}" for s in (1, 2, 3, 4) for b in (1, 2)],
        [f"{path}{level}" for path in ("top_down", "bottom_up") for level in (1, 2, 3, 4)],
        ["block1", "block2"],
    ]
    assert architecture.blocks("backbone")["stage2.block1"].operation == "ir_k3_d1_e3"
    assert architecture.backbone.out_channels == (8, 8, 8, 8)
    with pytest.raises(ValueError, match=r"'tail'.*backbone"):
        architecture.blocks("tail")


def _one_stage() -> dict[str, Any]:
    """The same with a searched one-stage head, and a neck that begins at stride 8."""
    return _content() | {
        "neck": {
            "type": "paths",
            "first_stage": 2,
            "top_down": [_block() for _ in range(3)],
            "bottom_up": [_block() for _ in range(3)],
            "extra": "convolution",
        },
        "rpn": None,
        "head": {
            "type": "towers",
            "class_tower": [_block("sep_k3_d1"), _block(channels=6)],
            "box_tower": [_block("ir_k3_d1_e3", 5)],
            "anchor_scale": 4,
            "scales_per_octave": 3,
            "anchor_ratios": [0.5, 1.0, 2.0],
        },
    }


def test_a_one_stage_detector_names_the_blocks_of_both_towers(tmp_path: Path) -> None:
    architecture = _load(_one_stage(), tmp_path)
    assert list(architecture.blocks("neck")) == [
        f"{path}{level}" for path in ("top_down", "bottom_up") for level in (1, 2, 3)
    ]
    assert architecture.neck.strides == (8, 16, 32, 64, 128)
    head = architecture.blocks("head")
    assert list(head) == ["class_tower1", "class_tower2", "box_tower1"]
    assert [block.operation for block in head.values()] == [
        "sep_k3_d1",
        "conv_k3_d1",
        "ir_k3_d1_e3",
    ]
    changed = architecture.with_operations(lambda c, name, block: f"conv_k{2 * len(name) - 1}_d1")
    assert [b.operation for b in changed.blocks("head").values()] == ["conv_k23_d1"] * 2 + [
        "conv_k19_d1"
    ]
    assert [block.channels for block in changed.blocks("head").values()] == [8, 6, 5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(rpn=_content()["rpn"]), r"rpn must be null .* retina, towers"),
        (lambda c: c.update(family="faster_rcnn"), r"faster_rcnn does not go with .* towers"),
        (lambda c: c["head"].update(box_tower=[]), r"head\.box_tower.*at least 1"),
        (lambda c: c["head"]["class_tower"][0].update(stride=2), r"head.*towers need stride 1"),
        (lambda c: c["neck"].update(first_stage=1), r"neck.*top_down needs 4 blocks"),
        (lambda c: c["neck"]["bottom_up"].pop(), r"neck.*bottom_up needs 3 blocks"),
        (lambda c: c["neck"].update(extra="upsample"), r"neck.extra"),
    ],
)  # fmt: skip
def test_a_broken_one_stage_file_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    content = _one_stage()
    change(content)
    with pytest.raises(ArchitectureError, match=f"architecture.json is not.*{message}"):
        _load(content, tmp_path)


def test_with_operations_replaces_each_operation_and_nothing_else(tmp_path: Path) -> None:
    before = _load(_content(), tmp_path)
    asked: list[tuple[str, str]] = []

    def choose(component: str, name: str, block: Block) -> str:
        asked.append((component, name))
        assert before.blocks(component)[name] == block
        return CANDIDATES[len(asked)]

    after = before.with_operations(choose)
    assert asked == [(c, name) for c in COMPONENTS for name in before.blocks(c)]
    renamed = [b.operation for c in COMPONENTS for b in after.blocks(c).values()]
    assert renamed == list(CANDIDATES[1 : len(asked) + 1])
    back = after.with_operations(lambda c, name, _: before.blocks(c)[name].operation)
    assert back == before


def test_a_supernet_is_an_architecture_with_a_choice_left(tmp_path: Path) -> None:
    content = _content()
    assert not _load(content, tmp_path).is_supernet
    content["head"]["blocks"][1]["operation"] = ["conv_k3_d1"]
    assert _load(content, tmp_path).is_supernet


def _set(*path: Any, value: Any) -> Any:
    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


BROKEN = [
    (
        _set("backbone", "stages", 1, 0, "operation", value="ir_k3"),
        r"backbone\.stages\.1\.0\.operation.*'ir_k3'",
    ),
    (
        _set("head", "blocks", 1, "operation", value=[]),
        r"head\.blocks\.1\b.*at least one candidate",
    ),
    (
        _set("neck", "top_down", 2, "operation", value=["sep_k3_d1"] * 2),
        r"neck\.top_down\.2\b.*must differ",
    ),
    (_set("head", "blocks", 0, "dilation", value=2), r"head\.blocks\.0\.dilation"),
    (_set("tail", value=1), r"\btail\b"),
    (
        _set("backbone", "stages", 2, 1, "stride", value=2),
        r"backbone.*stage 3: one block must have stride 2, the others 1",
    ),
    (
        _set("backbone", "stages", 0, 0, "stride", value=3),
        r"backbone\.stages\.0\.0\.stride.*1 or 2",
    ),
    (_set("backbone", "stages", 3, value=[]), r"backbone.*stage 4 has no block"),
    (_set("neck", "bottom_up", 0, "channels", value=9), r"neck.*same channels"),
    (_set("head", "blocks", 0, "stride", value=2), r"head.*stride 1"),
    (_set("neck", "top_down", value=[_block()] * 3), r"neck: .*top_down needs 4 blocks.*not 3"),
    (_set("format", value=2), r"format: Input should be 1"),
    (_set("family", value="resnet"), r"family"),
    (_set("classes", value=0), r"classes.*greater than 0"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_broken_file_is_refused_with_its_place(change: Any, message: str, tmp_path: Path) -> None:
    content = _content()
    change(content)
    with pytest.raises(ArchitectureError, match=f"architecture.json is not.*{message}"):
        _load(content, tmp_path)


def test_several_mistakes_are_named_together(tmp_path: Path) -> None:
    content = _content()
    del content["rpn"]
    content["classes"] = "many"
    with pytest.raises(ArchitectureError, match=r"classes: .*rpn: "):
        _load(content, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [(json.dumps(_content())[:-40], "cut off"), ("", "empty"), ("{'a': 1}", "not JSON")],
)
def test_a_file_that_is_not_json_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=rf"architecture\.json is {message}"):
        _load(text, tmp_path)
    with pytest.raises(ArtifactError, match=r"nowhere\.json is missing"):
        Architecture.load(tmp_path / "nowhere.json")


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="not an architecture file"):
        _load([1, 2], tmp_path)
