"""The upgrade: the same function where it can be, a network that loads, trains, and costs what is counted."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from students import FAMILIES, trained

from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.morphism.actions import possible_actions
from pipeline.morphism.errors import ActionError
from pipeline.morphism.upgrade import upgrade
from pipeline.search_space.architecture import Architecture

IOUS = (0.5, 0.6, 0.7)
RESNETS = ["resnet, basic", "resnet, bottleneck", "resnext"]


def _features(architecture: Architecture, weights: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    model = build_detector(architecture, Surroundings())
    model.load_state_dict(weights, strict=True)
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return list(model.eval().get_submodule("backbone")(images))


@pytest.mark.parametrize("family", RESNETS)
def test_deformable_convolutions_begin_as_plain_ones(family: str) -> None:
    architecture, weights = FAMILIES[family], trained(FAMILIES[family])
    upgraded, inherited = upgrade(architecture, weights, (3, 4), (0.5,))
    deformed = [
        (number, block.deformable)  # pyright: ignore
        for number, stage in enumerate(upgraded.backbone.stages, 1)  # pyright: ignore
        for block in stage
    ]
    assert all(deformable == (number >= 3) for number, deformable in deformed)
    for mine, before in zip(
        _features(upgraded, inherited), _features(architecture, weights), strict=True
    ):
        torch.testing.assert_close(mine, before, atol=1e-4, rtol=1e-4)
    # somewhere else it samples something else
    moved = {
        name: value + 0.7 if name.endswith("conv_offset.bias") else value
        for name, value in inherited.items()
    }
    last = _features(upgraded, moved)[-1]
    assert not torch.allclose(last, _features(architecture, weights)[-1], atol=1e-2)


def test_every_stage_of_the_cascade_begins_as_the_head() -> None:
    architecture, weights = FAMILIES["mobilenetv2"], trained(FAMILIES["mobilenetv2"])
    upgraded, inherited = upgrade(architecture, weights, (), IOUS)
    model = build_detector(upgraded, Surroundings())
    model.load_state_dict(inherited, strict=True)
    heads = model.get_submodule("roi_head.bbox_head")
    plain = build_detector(architecture, Surroundings())
    plain.load_state_dict(weights, strict=True)
    rois = torch.randn(5, 8, 3, 3)
    with torch.no_grad():
        expected = plain.get_submodule("roi_head.bbox_head")(rois)
        for head in heads.children():
            for mine, other in zip(head(rois), expected, strict=True):
                torch.testing.assert_close(mine, other)
    assigners: Any = model.get_submodule("roi_head").bbox_assigner
    assert [one.pos_iou_thr for one in assigners] == list(IOUS)
    assert len(list(heads.children())) == 3


@pytest.mark.parametrize("family", RESNETS)
def test_the_cost_of_an_upgrade_by_hand(family: str) -> None:
    """Three heads for one, and for each deformable block a 3×3 convolution to 18 offsets."""
    architecture = FAMILIES[family]
    upgraded, inherited = upgrade(architecture, trained(architecture), (4,), IOUS)
    before = detector_complexity(architecture, 10).components
    after = detector_complexity(upgraded, 10).components
    assert after["head"].macs == 3 * before["head"].macs
    assert after["head"].params == 3 * before["head"].params
    middle = [block.mid_channels for block in architecture.backbone.stages[3]]  # pyright: ignore
    # 64 × 96 pixels at stride 32
    assert after["backbone"].macs - before["backbone"].macs == sum(
        9 * width * 18 * 2 * 3 for width in middle
    )
    assert after["backbone"].params - before["backbone"].params == sum(
        9 * width * 18 + 18 for width in middle
    )
    model = build_detector(upgraded, Surroundings())
    built = sum(parameter.numel() for parameter in model.parameters())
    assert detector_complexity(upgraded, 10).total.params == built
    assert inherited.keys() == model.state_dict().keys()


def test_what_cannot_be_upgraded_is_refused() -> None:
    mobile = FAMILIES["mobilenetv2"]
    with pytest.raises(ActionError, match="deformable_stages to"):
        upgrade(mobile, trained(mobile), (3,), IOUS)
    basic = FAMILIES["resnet, basic"]
    weights = trained(basic)
    with pytest.raises(ActionError, match="no stage 5"):
        upgrade(basic, weights, (5,), IOUS)
    with pytest.raises(ValidationError, match="must rise"):
        upgrade(basic, weights, (), (0.5, 0.5))
    upgraded, inherited = upgrade(basic, weights, (3,), IOUS)
    with pytest.raises(ActionError, match="there is another head"):
        upgrade(upgraded, inherited, (), IOUS)
    with pytest.raises(ValueError, match="not pruned or grown any more"):
        possible_actions(upgraded)
