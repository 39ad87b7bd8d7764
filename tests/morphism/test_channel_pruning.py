"""Channel pruning: channels that do nothing leave without a trace, and the ranking is by hand."""

from typing import Any

import pytest
import torch
from students import FAMILIES, detector_of, outputs, trained

from pipeline.morphism.actions import Action, apply_action, possible_actions
from pipeline.morphism.channels import prunable_channels, prune_channels
from pipeline.search_space.architecture import Architecture, ResidualBlock, ResNetBackbone
from pipeline.search_space.coupling import ChannelGroup


def _silence(weights: dict[str, torch.Tensor], group: ChannelGroup, channels: list[int]) -> None:
    """Make what writes some channels of a group zero: γ and β of every norm that does."""
    for use in group.uses:
        if use.dim == 0 and weights[use.tensor].dim() == 1 and "running" not in use.tensor:
            value = weights[use.tensor].view(group.channels, use.span)
            value[channels] = 0


@pytest.mark.parametrize("family", FAMILIES)
def test_channels_without_scale_and_shift_leave_without_a_trace(family: str) -> None:
    architecture = FAMILIES[family]
    weights = trained(architecture)
    groups = prunable_channels(architecture)
    silent, everything = 0, 0
    for name, group in groups.items():
        # not the first ones, and others in each group
        count = max(1, group.channels // 4)
        start = 1 + len(name) % 2
        _silence(weights, group, list(range(start, start + count)))
        silent += count * group.span
        everything += group.channels * group.span
    expected = outputs(architecture, weights)
    pruned, smaller = prune_channels(architecture, weights, 100 * (silent + 0.5) / everything)
    for name, group in prunable_channels(pruned).items():
        before = groups[name].channels
        assert group.channels == before - max(1, before // 4), name
        assert group.span == groups[name].span
    # feature maps have the channels of the neck, which are not pruned
    for mine, other in zip(outputs(pruned, smaller), expected, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)


def _network(first: int, second: int) -> Architecture:
    """One basic block a stage; the first stage is `first` wide behind a stem of `second`."""
    shapes: Any = ((first, 1), (6, 2), (6, 2), (6, 2))
    blocks = tuple(
        (ResidualBlock(operation="basic", channels=width, mid_channels=4, stride=stride),)
        for width, stride in shapes
    )
    return detector_of(ResNetBackbone(stem_channels=second, stages=blocks))


def _set_scales(weights: dict[str, torch.Tensor], value: float = 5.0) -> None:
    for name, tensor in weights.items():
        if name.startswith("backbone.") and tensor.dim() == 1 and name.endswith(".weight"):
            tensor.fill_(value)


def test_the_smallest_scales_of_the_whole_backbone_leave() -> None:
    architecture = _network(8, 8)
    weights = trained(architecture)
    _set_scales(weights)
    weights["backbone.layer1.0.bn1.weight"][2] = -0.1
    weights["backbone.layer4.0.bn1.weight"][0] = 0.2
    # coupled: what only one of both norms keeps small stays
    weights["backbone.bn1.weight"][[3, 5]] = torch.tensor([0.0, 0.3])
    weights["backbone.layer1.0.bn2.weight"][5] = -0.25
    # 8 of the trunk, 3 times 6, 4 times 4
    three = 100 * 3 / (8 + 18 + 16)
    pruned, smaller = prune_channels(architecture, weights, three)
    assert pruned.backbone.stem_channels == 7  # pyright: ignore[reportAttributeAccessIssue]
    widths = [(s[0].channels, s[0].mid_channels) for s in pruned.backbone.stages]  # pyright: ignore
    assert widths == [(7, 3), (6, 4), (6, 4), (6, 3)]
    kept = [0, 1, 2, 3, 4, 6, 7]
    assert torch.equal(smaller["backbone.conv1.weight"], weights["backbone.conv1.weight"][kept])
    assert torch.equal(
        smaller["neck.lateral_convs.0.conv.weight"],
        weights["neck.lateral_convs.0.conv.weight"][:, kept],
    )
    inner = weights["backbone.layer1.0.conv2.weight"]
    assert torch.equal(smaller["backbone.layer1.0.conv2.weight"], inner[kept][:, [0, 1, 3]])
    # less than one channel is one channel
    one, _ = prune_channels(architecture, weights, 0.01)
    assert one.backbone.stages[0][0].mid_channels == 3  # pyright: ignore
    assert one.backbone.stages[3][0].mid_channels == 4  # pyright: ignore


def test_a_bottleneck_loses_a_channel_on_both_sides_of_its_convolution() -> None:
    architecture = FAMILIES["resnet, bottleneck"]
    weights = trained(architecture)
    _set_scales(weights)
    weights["backbone.layer3.1.bn1.weight"][4] = 0.1
    weights["backbone.layer3.1.bn2.weight"][7] = 0.2
    pruned, smaller = prune_channels(architecture, weights, 0.01)
    backbone: Any = pruned.backbone
    stages = backbone.stages
    assert stages[2][1].mid_channels == 11 and stages[2][0].mid_channels == 12
    before = [index for index in range(12) if index != 4]
    behind = [index for index in range(12) if index != 7]
    middle = weights["backbone.layer3.1.conv2.weight"]
    assert torch.equal(smaller["backbone.layer3.1.conv2.weight"], middle[behind][:, before])


def test_no_group_of_channels_dies_and_none_loses_more_than_half_at_once() -> None:
    for architecture in FAMILIES.values():
        weights = trained(architecture)
        before = {n: g.channels for n, g in prunable_channels(architecture).items()}
        pruned, _ = prune_channels(architecture, weights, 50)
        for name, group in prunable_channels(pruned).items():
            assert before[name] > 1 or group.channels == 1
            assert 2 * group.channels >= before[name]
    # to the end: what can no longer be pruned is not offered
    architecture = FAMILIES["resnet, basic"]
    weights = trained(architecture)
    action = Action(kind="prune_channels", percentage=50)
    for _ in range(20):
        if action not in possible_actions(architecture, (50,)):
            break
        architecture, weights = apply_action(action, architecture, weights)
    assert all(group.channels == 1 for group in prunable_channels(architecture).values())
    outputs(architecture, weights)


def test_widths_that_differ_do_not_become_equal_where_nothing_would_project() -> None:
    """A first stage of 6 channels behind a stem of 5: at 5 and 5 the block would lose its projection."""
    architecture = _network(6, 5)
    weights = trained(architecture)
    _set_scales(weights)
    for name in ("layer1.0.bn2", "layer1.0.downsample.1"):
        weights[f"backbone.{name}.weight"][0] = 0.0
    pruned, smaller = prune_channels(architecture, weights, 0.01)
    backbone: Any = pruned.backbone
    assert (
        backbone.stages[0][0].channels == 6 and "backbone.layer1.0.downsample.0.weight" in smaller
    )
    # once the stem is narrower, it may leave
    weights["backbone.bn1.weight"][0] = 0.0
    pruned, smaller = prune_channels(architecture, weights, 100 * 2 / (5 + 6 + 18 + 16))
    backbone = pruned.backbone
    assert (backbone.stem_channels, backbone.stages[0][0].channels) == (4, 5)
    outputs(pruned, smaller)
