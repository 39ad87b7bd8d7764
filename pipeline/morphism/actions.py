"""The student's actions: which there are, drawing one, and what evolves the student (Joint-DetNAS, 3.1.2).

`apply_action` is the paper's f_evolve: (architecture, weights, action) → (architecture, weights). It is a
pure function: the same arguments give the same student, and nothing that goes in is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from pipeline.morphism.channels import can_prune_channels, prune_channels
from pipeline.morphism.errors import ActionError
from pipeline.morphism.layers import add_layer, can_rearrange, prune_layer, rearrange_layer
from pipeline.morphism.shapes import removable_layers, stages_of
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.block import Part
from pipeline.search_space.coupling import coupled_channels
from pipeline.search_space.slicing import Weights

Kind = Literal["prune_layer", "prune_channels", "add_layer", "rearrange_layer"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PERCENTAGES = (10.0,)
"""Percent of the backbone's channels that one pruning removes; the paper's Table 2 has 10, 20 and 30."""

_SEEDS = 2**31

_NEEDS: dict[Kind, frozenset[str]] = {
    "prune_layer": frozenset({"stage"}),
    "prune_channels": frozenset({"percentage"}),
    "add_layer": frozenset({"stage", "position"}),
    "rearrange_layer": frozenset({"stage", "to_stage"}),
}


class Action(Part):
    """One change of a student. Stages and positions count from 1; what a kind does not use is null.

    Attributes:
        kind: what is done.
        stage: of the layer that is removed, added or moved.
        position: an added layer comes after this block of the stage.
        to_stage: where a layer moves, `stage` ± 1.
        percentage: of the backbone's channels, that pruning removes.
        seed: of the fresh weights of an added layer, and of those that pad a moved one.
    """

    kind: Kind
    stage: PositiveInt | None = None
    position: PositiveInt | None = None
    to_stage: PositiveInt | None = None
    percentage: float | None = Field(default=None, gt=0, le=50)
    seed: int = Field(default=0, ge=0, lt=_SEEDS)

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Action:
        given = {
            name
            for name in ("stage", "position", "to_stage", "percentage")
            if getattr(self, name) is not None
        }
        needed = _NEEDS[self.kind]
        if given != needed:
            raise ValueError(
                f"{self.kind} takes {', '.join(sorted(needed))}, not "
                f"{', '.join(sorted(given)) or 'nothing'}"
            )
        if self.to_stage is not None and self.stage not in (self.to_stage - 1, self.to_stage + 1):
            raise ValueError(f"stage {self.to_stage} is no neighbour of stage {self.stage}")
        return self


def possible_actions(
    architecture: Architecture, percentages: Sequence[float] = PERCENTAGES
) -> list[Action]:
    """Every action that `apply_action` can apply, in a fixed order, with seed 0.

    Args:
        architecture: a Faster R-CNN with FPN on a ResNet, ResNeXt or MobileNetV2 of any depths and widths.
        percentages: of channels, one pruning for each.

    Raises:
        ValueError: the architecture is made of something else.
    """
    coupled_channels(architecture)
    layers = stages_of(architecture)
    stages = range(1, len(layers) + 1)
    actions = [
        Action(kind="prune_layer", stage=stage)
        for stage in stages
        if removable_layers(architecture, stage)
    ]
    if can_prune_channels(architecture):
        actions += [Action(kind="prune_channels", percentage=value) for value in percentages]
    actions += [
        Action(kind="add_layer", stage=stage, position=position)
        for stage in stages
        for position in range(1, len(layers[stage - 1]) + 1)
    ]
    actions += [
        Action(kind="rearrange_layer", stage=stage, to_stage=to_stage)
        for stage in stages
        for to_stage in (stage - 1, stage + 1)
        if can_rearrange(architecture, stage, to_stage)
    ]
    return actions


def draw_action(
    architecture: Architecture,
    generator: np.random.Generator,
    percentages: Sequence[float] = PERCENTAGES,
    kinds: Sequence[Kind] = KINDS,
) -> Action:
    """Draw a kind among those that are possible, all equally likely, then an action of it, and its seed.

    Raises:
        ActionError: no action of these kinds is possible.
    """
    by_kind = {kind: [] for kind in kinds}
    for action in possible_actions(architecture, percentages):
        if action.kind in by_kind:
            by_kind[action.kind].append(action)
    choices = [actions for actions in by_kind.values() if actions]
    if not choices:
        raise ActionError(f"none of these actions is possible: {', '.join(kinds) or 'none given'}")
    actions = choices[generator.integers(len(choices))]
    action = actions[generator.integers(len(actions))]
    return action.model_copy(update={"seed": int(generator.integers(_SEEDS))})


def apply_action(
    action: Action, architecture: Architecture, weights: Weights
) -> tuple[Architecture, dict[str, Tensor]]:
    """The student after an action, with the weights it inherits.

    Args:
        action: see `possible_actions`.
        architecture: of the student; its provenance is carried over.
        weights: state dict of the detector that the builder makes of `architecture`.

    Returns:
        The architecture, and a state dict that its detector loads strictly, in memory of its own, on the
        devices and in the types that `weights` have.

    Raises:
        ActionError: the action is not possible for this architecture.
    """
    match action:
        case Action(kind="prune_layer", stage=int(stage)):
            student = prune_layer(architecture, weights, stage)
        case Action(kind="prune_channels", percentage=float(percentage)):
            student = prune_channels(architecture, weights, percentage)
        case Action(kind="add_layer", stage=int(stage), position=int(position)):
            student = add_layer(architecture, weights, stage, position, action.seed)
        case Action(kind="rearrange_layer", stage=int(stage), to_stage=int(to_stage)):
            student = rearrange_layer(architecture, weights, stage, to_stage, action.seed)
        case _:
            raise AssertionError(f"{action} was validated")
    evolved, inherited = student
    return evolved, {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in inherited.items()
    }
