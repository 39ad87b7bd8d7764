"""Every action on every family: what it keeps of the student, and that the result is a network."""

import pytest
import torch
from students import FAMILIES, outputs, trained

from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.morphism.actions import KINDS, apply_action, possible_actions
from pipeline.search_space.architecture import Architecture

families = pytest.mark.parametrize("family", FAMILIES)


def _shapes(architecture: Architecture) -> dict[str, torch.Size]:
    """Names and shapes of the weights of the network that the builder makes."""
    with torch.device("meta"):
        model = build_detector(architecture, Surroundings())
    return {name: value.shape for name, value in model.state_dict().items()}


@families
def test_every_action_gives_a_network_and_leaves_what_went_in(family: str) -> None:
    architecture = FAMILIES[family]
    weights = trained(architecture)
    before = {name: value.clone() for name, value in weights.items()}
    text = architecture.model_dump_json()
    actions = possible_actions(architecture)
    assert {action.kind for action in actions} == set(KINDS)
    for action in actions:
        evolved, inherited = apply_action(action, architecture, weights)
        assert evolved != architecture
        assert all(value.isfinite().all() for value in outputs(evolved, inherited)), action
        # parameters by the cost model, and by the weights themselves
        counted = sum(
            value.numel()
            for name, value in inherited.items()
            if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        )
        assert detector_complexity(evolved, 20).total.params == counted
        again, same = apply_action(action, architecture, weights)
        assert again == evolved
        assert all(torch.equal(same[name], inherited[name]) for name in inherited)
        for value in inherited.values():
            value.add_(1)
        assert all(torch.equal(before[name], weights[name]) for name in before), action
        assert architecture.model_dump_json() == text
