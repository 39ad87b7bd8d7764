"""Coupled channels, checked by what they promise: permuted together, they change nothing."""

from typing import Any

import pytest
import torch
from telling_weights import randomise

from pipeline.detection.builder import Surroundings, build_detector
from pipeline.search_space.architecture import (
    Architecture,
    ConvFcHead,
    FpnNeck,
    InvertedBlock,
    MobileNetV2Backbone,
    ResidualBlock,
    ResNetBackbone,
    Rpn,
)
from pipeline.search_space.coupling import coupled_channels
from pipeline.search_space.slicing import importance, select_channels, slice_weights
from pipeline.zoo.architectures import zoo_architecture


def _block(operation: Any, channels: int, middle: int, groups: int = 1, stride: Any = 1) -> Any:
    return ResidualBlock(
        operation=operation, channels=channels, mid_channels=middle, groups=groups, stride=stride
    )


def _irregular(operation: Any, groups: int, **changes: Any) -> Architecture:
    """Stages that change their width midway, inner widths of their own, an identity from the stem."""
    unit = 2 * groups
    stages = (
        (_block(operation, 5, unit, groups), _block(operation, 6, 2 * unit, groups)),
        (_block(operation, 6, unit, groups, 2), _block(operation, 6, unit, groups)),
        (_block(operation, 9, unit, groups, 2),),
        (_block(operation, 7, unit, groups, 2), _block(operation, 8, unit, groups)),
    )
    parts: dict[str, Any] = {
        "backbone": ResNetBackbone(stem_channels=5, stages=stages),
        "neck": FpnNeck(channels=8),
        "head": ConvFcHead(roi_size=3, fcs=(16, 16)),
    }
    return Architecture(
        family="faster_rcnn",
        classes=3,
        input_size=(64, 96),
        rpn=Rpn(channels=8, anchor_scale=4),
        **(parts | changes),
    )


def _inverted() -> MobileNetV2Backbone:
    """Blocks with and without expansion, with and without an addition."""
    return MobileNetV2Backbone(
        stem_channels=5,
        last_channels=7,
        stages=(
            (
                InvertedBlock(operation="depthwise", channels=4, mid_channels=5),
                InvertedBlock(operation="depthwise", channels=4, mid_channels=4),
            ),
            *(
                (
                    InvertedBlock(channels=width, mid_channels=9, stride=2),
                    InvertedBlock(channels=width, mid_channels=11),
                    InvertedBlock(channels=width + 1, mid_channels=3),
                )
                for width in (4, 6, 6, 8)
            ),
        ),
    )


KINDS = {
    "basic": _irregular("basic", 1),
    "bottleneck": _irregular("bottleneck", 1),
    "grouped": _irregular("bottleneck", 4),
    "convolutions": _irregular(
        "basic",
        1,
        neck=FpnNeck(channels=8, levels=6, extra="convolution"),
        head=ConvFcHead(roi_size=3, convs=(6, 6), fcs=(16,)),
    ),
    "inverted": _irregular("basic", 1, backbone=_inverted()),
}


def _outputs(model: Any, images: torch.Tensor) -> list[torch.Tensor]:
    levels = model.extract_feat(images)
    scores, boxes = model.rpn_head(levels)
    rois = torch.nn.functional.adaptive_avg_pool2d(levels[0], 3)
    return [*scores, *boxes, *model.roi_head.bbox_head(rois)]


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_permuting_any_group_changes_nothing_and_all_are_found(kind: str) -> None:
    torch.manual_seed(0)
    architecture = KINDS[kind]
    model: Any = build_detector(architecture, Surroundings()).eval()
    randomise(model)
    model.double()
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    expected = _outputs(model, images)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    groups = coupled_channels(architecture)
    for name, group in groups.items():
        order = torch.roll(torch.arange(group.channels), 1)
        permuted = select_channels(weights, groups, {name: order})
        moved = {use.tensor for use in group.uses}
        assert all(not torch.equal(permuted[tensor], weights[tensor]) for tensor in moved), name
        assert all(permuted[tensor] is weights[tensor] for tensor in weights.keys() - moved)
        model.load_state_dict(permuted)
        for mine, other in zip(_outputs(model, images), expected, strict=True):
            torch.testing.assert_close(mine, other, atol=1e-6, rtol=0, msg=name)
    # every dimension of the backbone's and neck's convolutions belongs to exactly one group
    uses = [(use.tensor, use.dim) for group in groups.values() for use in group.uses]
    assert len(uses) == len(set(uses))
    convolutions = {
        (name, dim)
        for name, value in weights.items()
        if name.startswith(("backbone.", "neck.")) and value.dim() == 4
        for dim in (0, 1)
    } - {("backbone.conv1.weight", 1), ("backbone.conv1.conv.weight", 1)}
    if kind == "grouped":  # the second dimension of a grouped convolution stays within a group
        convolutions = {use for use in convolutions if use[1] == 0 or ".conv2." not in use[0]}
    if kind == "inverted":
        convolutions = {use for use in convolutions if use[1] == 0 or ".depthwise" not in use[0]}
    assert convolutions <= set(uses)


def test_groups_join_where_blocks_add() -> None:
    groups = coupled_channels(KINDS["basic"])
    names = [name for name in groups if "inner" not in name]
    assert names == [
        "stem",
        "stage1.block2",
        "stage2.block1",
        "stage3.block1",
        "stage4.block1",
        "stage4.block2",
        "neck.lateral",
        "neck.output",
    ]
    written = {use.tensor for use in groups["stem"].uses if use.dim == 0}
    assert {"backbone.conv1.weight", "backbone.layer1.0.conv2.weight"} <= written
    assert groups["neck.output"].uses[-1].span == 9


def test_importance_is_the_l1_norm_of_what_reads_a_channel() -> None:
    groups = coupled_channels(KINDS["basic"])
    weights = {
        "backbone.layer1.0.conv2.weight": torch.tensor([[1.0, -2.0], [3.0, 0.5]]).view(2, 2, 1, 1)
    }
    group = groups["stage1.block1.inner1"]
    assert group.channels == 2
    assert importance(weights, group).tolist() == [4.0, 2.5]


def test_a_network_that_is_not_inside_is_refused() -> None:
    architecture = KINDS["basic"]
    with pytest.raises(ValueError, match=r"stem of the smaller network, 5 channels"):
        narrow = architecture.backbone.model_copy(update={"stem_channels": 4})
        small = architecture.model_copy(update={"backbone": narrow})
        slice_weights({}, small, architecture)
    with pytest.raises(ValueError, match="not for resnet, fpn, retina"):
        coupled_channels(zoo_architecture("retinanet_r50"))
