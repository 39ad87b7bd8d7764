"""Actions on layers, against what they promise: the same outputs, or inherited weights in their place."""

from typing import Any

import pytest
import torch
from students import FAMILIES, outputs, trained
from torch.nn.functional import mse_loss

from pipeline.detection.builder import Surroundings, build_detector
from pipeline.morphism.actions import possible_actions
from pipeline.morphism.layers import add_layer, prune_layer, rearrange_layer
from pipeline.morphism.shapes import removable_layers, stages_of

families = pytest.mark.parametrize("family", FAMILIES)


def _layer(weights: dict[str, torch.Tensor], stage: int, index: int) -> dict[str, torch.Tensor]:
    prefix = f"backbone.layer{stage}.{index}."
    return {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}


@families
def test_an_added_layer_changes_nothing_anywhere(family: str) -> None:
    architecture = FAMILIES[family]
    weights = trained(architecture)
    expected = outputs(architecture, weights)
    for action in possible_actions(architecture):
        if action.kind == "add_layer":
            assert action.stage and action.position
            evolved, inherited = add_layer(
                architecture, weights, action.stage, action.position, seed=1
            )
            assert len(inherited) > len(weights)
            for mine, other in zip(outputs(evolved, inherited), expected, strict=True):
                torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)


@families
def test_all_parameters_of_added_and_padded_layers_learn(family: str) -> None:
    """None of them is stuck at zero: after one step of the norm that begins there, all have a gradient."""
    architecture = FAMILIES[family]
    weights = trained(architecture)
    for evolved, inherited, stage in (
        (*add_layer(architecture, weights, 2, 1, seed=1), 2),
        (*rearrange_layer(architecture, weights, 2, 3, seed=1), 3),
    ):
        backbone: Any = build_detector(evolved, Surroundings())
        backbone.load_state_dict(inherited)
        backbone = backbone.backbone.train()
        new = dict(backbone.get_submodule(f"layer{stage}")[1].named_parameters())
        optimizer = torch.optim.SGD(backbone.parameters(), 0.01)
        torch.manual_seed(0)
        images = torch.randn(4, 3, 64, 64)
        for _ in range(2):
            optimizer.zero_grad()
            maps = backbone(images)
            torch.stack([mse_loss(m, torch.randn_like(m)) for m in maps]).sum().backward()
            optimizer.step()
        for name, parameter in new.items():
            assert parameter.grad is not None
            rows = parameter.grad.flatten(1) if parameter.dim() > 1 else parameter.grad[:, None]
            # a channel may rest behind its ReLU, but most must not
            assert rows.any(1).float().mean() > 0.5, (family, stage, name)


@families
def test_the_layer_with_the_least_l1_norm_leaves(family: str) -> None:
    architecture = FAMILIES[family]
    weights = trained(architecture)
    stage = 3 if family == "mobilenetv2" else 2
    assert len(stages_of(architecture)[stage - 1]) == 3
    assert removable_layers(architecture, stage) == [2, 3]
    for least, other in ((1, 2), (2, 1)):
        changed = dict(weights)
        for name in weights:
            # the downsampling layer is the smallest of all, and stays
            if name.startswith(f"backbone.layer{stage}.0.") and name.endswith(".weight"):
                changed[name] = weights[name] * 0.01
            if name.startswith(f"backbone.layer{stage}.{least}.") and name.endswith(".weight"):
                changed[name] = weights[name] * 0.1
        evolved, inherited = prune_layer(architecture, changed, stage)
        assert [len(layers) for layers in stages_of(evolved)] == [
            len(layers) - (number == stage)
            for number, layers in enumerate(stages_of(architecture), 1)
        ]
        for index, source in ((0, 0), (1, other)):
            mine, theirs = _layer(inherited, stage, index), _layer(changed, stage, source)
            assert mine.keys() == theirs.keys()
            assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_neither_the_only_nor_the_downsampling_layer_may_leave() -> None:
    basic, bottleneck = FAMILIES["resnet, basic"], FAMILIES["resnet, bottleneck"]
    # a first layer that adds to the stem as it is does not downsample
    assert [removable_layers(basic, stage) for stage in (1, 2, 3, 4)] == [[1, 2], [2, 3], [2], [2]]
    assert [removable_layers(bottleneck, stage) for stage in (1, 2, 3, 4)] == [
        [2],
        [2, 3],
        [2],
        [2],
    ]
    mobilenet = FAMILIES["mobilenetv2"]
    assert [removable_layers(mobilenet, stage) for stage in range(1, 7)] == [
        [],
        [2],
        [2, 3],
        [2],
        [2],
        [2],
    ]
    single, weights = basic, trained(basic)
    for _ in range(2):
        if removable_layers(single, 1):
            single, weights = prune_layer(single, weights, 1)
    assert len(stages_of(single)[0]) == 1 and removable_layers(single, 1) == []


@families
def test_a_layer_moves_to_its_neighbour_and_back_as_it_was(family: str) -> None:
    """A wider stage pads a layer's weights, its own stage slices them: what was there comes back."""
    architecture = FAMILIES[family]
    weights = trained(architecture)
    there, padded = rearrange_layer(architecture, weights, 2, 3, seed=1)
    before, after = stages_of(architecture), stages_of(there)
    assert [len(stage) for stage in after[1:3]] == [len(before[1]) - 1, len(before[2]) + 1]
    # behind the downsampling layer
    assert after[2][0] == before[2][0] and after[2][2:] == before[2][1:]
    assert after[2][1].channels == before[2][0].channels > before[1][-1].channels
    back, sliced = rearrange_layer(there, padded, 3, 2, seed=2)
    assert back == architecture
    assert sliced.keys() == weights.keys()
    assert all(torch.equal(sliced[name], weights[name]) for name in weights)


def test_a_moved_layer_of_a_resnext_keeps_its_groups_whole() -> None:
    """Hand-made: each entry of a weight says which group and which channels it joins."""
    architecture = FAMILIES["resnext"]
    weights = trained(architecture)
    layer = stages_of(architecture)[1][-1]
    assert (layer.mid_channels, layer.channels) == (8, 16)  # 4 groups of 2
    name = "backbone.layer2.2.conv2.weight"
    group, output, input = torch.meshgrid(
        torch.arange(4.0), torch.arange(2.0), torch.arange(2.0), indexing="ij"
    )
    weights[name] = (
        (1000 + 100 * group + 10 * output + input).reshape(8, 2, 1, 1).expand(8, 2, 3, 3)
    )
    wider, padded = rearrange_layer(architecture, weights, 2, 3, seed=0)
    moved = stages_of(wider)[2][1]
    assert (moved.mid_channels, moved.channels) == (12, 24)  # 4 groups of 3
    weight = padded["backbone.layer3.1.conv2.weight"].view(4, 3, 3, 3, 3)
    assert weight[2, 1, :, 0, 0].tolist() == [1210.0, 1211.0, 0.0]
    assert weight[:, 2].abs().max() < 10 and weight[:, 2].abs().min() > 0
    narrower, sliced = rearrange_layer(architecture, weights, 2, 1, seed=0)
    # the first layer that may move is the middle one: its weights, cut to 4 groups of 1
    assert stages_of(narrower)[0][-1].mid_channels == 4
    whole = weights["backbone.layer2.1.conv2.weight"].view(4, 2, 2, 3, 3)
    assert torch.equal(sliced["backbone.layer1.2.conv2.weight"].view(4, 3, 3), whole[:, 0, 0])
    reads = weights["backbone.layer2.1.conv3.weight"].view(16, 4, 2)
    assert torch.equal(sliced["backbone.layer1.2.conv3.weight"].view(8, 4), reads[:8, :, 0])
