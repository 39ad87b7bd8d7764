"""Every action on every family: the result is a network, and what goes in stays as it was."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from students import FAMILIES, trained
from torch.utils.flop_counter import FlopCounterMode

from pipeline.detection.builder import Surroundings, build_backbone, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.morphism.actions import KINDS, Action, apply_action, draw_action, possible_actions
from pipeline.morphism.errors import ActionError
from pipeline.search_space.architecture import Architecture
from pipeline.zoo.architectures import zoo_architecture

families = pytest.mark.parametrize("family", FAMILIES)


@families
def test_every_action_gives_a_network_that_costs_what_is_said(family: str) -> None:
    architecture = FAMILIES[family]
    weights = trained(architecture)
    actions = possible_actions(architecture)
    assert {action.kind for action in actions} == set(KINDS)
    for action in actions:
        evolved, inherited = apply_action(action, architecture, weights)
        assert evolved != architecture
        model: Any = build_detector(evolved, Surroundings()).eval()
        model.load_state_dict(inherited, strict=True)
        cost = detector_complexity(evolved, proposals=20).components["backbone"]
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            maps = model.backbone(torch.ones(1, 3, *evolved.input_size))
        assert all(value.isfinite().all() for value in maps), action
        assert cost.macs == counter.get_total_flops() // 2, action
        # those that train, counted on the inherited tensors themselves
        assert cost.params == sum(
            value.numel()
            for name, value in inherited.items()
            if name.startswith("backbone.") and name.endswith((".weight", ".bias"))
        )


@families
def test_an_action_is_a_pure_function(family: str) -> None:
    architecture = FAMILIES[family]
    weights = trained(architecture)
    before = {name: value.clone() for name, value in weights.items()}
    text = architecture.model_dump_json()
    for action in possible_actions(architecture):
        action = Action.model_validate_json(action.model_dump_json())
        evolved, inherited = apply_action(action, architecture, weights)
        again, same = apply_action(action, architecture, weights)
        assert again == evolved and same.keys() == inherited.keys()
        assert all(torch.equal(same[name], inherited[name]) for name in inherited), action
        for value in inherited.values():
            value.add_(1)
        assert weights.keys() == before.keys() and architecture.model_dump_json() == text
        assert all(torch.equal(before[name], weights[name]) for name in before), action


WEIGHTS = {family: trained(architecture) for family, architecture in FAMILIES.items()}


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FAMILIES)), st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_random_sequences_of_actions_always_give_a_network(
    family: str, seed: int, length: int
) -> None:
    architecture, weights = FAMILIES[family], WEIGHTS[family]
    generator = np.random.default_rng(seed)
    for _ in range(length):
        action = draw_action(architecture, generator, percentages=(5.0, 30.0))
        assert action.model_copy(update={"seed": 0}) in possible_actions(architecture, (5.0, 30.0))
        architecture, weights = apply_action(action, architecture, weights)
    assert Architecture.model_validate(json.loads(architecture.model_dump_json())) == architecture
    with torch.device("meta"):
        backbone = build_backbone(architecture)
    expected = {f"backbone.{name}": w.shape for name, w in backbone.state_dict().items()}
    # what reads the backbone; the rest is as before
    for level, channels in enumerate(architecture.backbone.out_channels):
        expected[f"neck.lateral_convs.{level}.conv.weight"] = torch.Size((8, channels, 1, 1))
    for name, value in WEIGHTS[family].items():
        if not name.startswith("backbone."):
            expected.setdefault(name, value.shape)
    assert {name: value.shape for name, value in weights.items()} == expected


def test_drawing_is_a_function_of_the_generator_and_reaches_every_action() -> None:
    architecture = FAMILIES["resnext"]
    possible = possible_actions(architecture)

    def draws(seed: int) -> list[Action]:
        generator = np.random.default_rng(seed)
        return [draw_action(architecture, generator) for _ in range(400)]

    drawn = draws(3)
    assert drawn == draws(3) != draws(4)
    assert {action.model_copy(update={"seed": 0}).model_dump_json() for action in drawn} == {
        action.model_dump_json() for action in possible
    }
    # each kind is as likely as the others, however many places it has
    for kind in KINDS:
        assert 60 <= sum(action.kind == kind for action in drawn) <= 140
    only = draw_action(architecture, np.random.default_rng(0), kinds=("add_layer",))
    assert only.kind == "add_layer"


def test_what_is_no_action_is_refused() -> None:
    with pytest.raises(ValidationError, match="add_layer takes position, stage, not stage"):
        Action(kind="add_layer", stage=1)
    with pytest.raises(ValidationError, match="stage 3 is no neighbour of stage 1"):
        Action(kind="rearrange_layer", stage=1, to_stage=3)
    architecture = FAMILIES["mobilenetv2"]
    for action, message in (
        (Action(kind="prune_layer", stage=1), "no layer may leave stage 1"),
        (Action(kind="prune_layer", stage=7), "no stage 7: the backbone has stages 1 to 6"),
        (Action(kind="rearrange_layer", stage=6, to_stage=7), "no stage 7"),
        (Action(kind="add_layer", stage=2, position=3), "block 3 of stage 2: it has 2"),
    ):
        with pytest.raises(ActionError, match=message):
            apply_action(action, architecture, WEIGHTS["mobilenetv2"])
    with pytest.raises(ValueError, match="not for blocks, paths, blocks"):
        possible_actions(zoo_architecture("hit_detector_released"))


@families
def test_a_student_in_double_precision_stays_in_it(family: str) -> None:
    weights = {
        name: value.double() if value.is_floating_point() else value
        for name, value in WEIGHTS[family].items()
    }
    for action in possible_actions(FAMILIES[family]):
        _, inherited = apply_action(action, FAMILIES[family], weights)
        assert all(
            value.dtype == (torch.long if name.endswith("num_batches_tracked") else torch.double)
            for name, value in inherited.items()
        )
