"""Actions on whole layers: one is removed, added, or moved to the neighbour stage (section 3.1.2)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pipeline.morphism.errors import ActionError
from pipeline.morphism.inheritance import convolutions, fresh_layer, resized_layer
from pipeline.morphism.shapes import (
    input_channels,
    removable_layers,
    scaled_layer,
    stage_of,
    stages_of,
    with_stages,
)
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.slicing import Weights

Student = tuple[Architecture, dict[str, Tensor]]


def prune_layer(architecture: Architecture, weights: Weights, stage: int) -> Student:
    """Remove the layer of a stage that has the least L1 norm, of all its parameters (section 3.3).

    Raises:
        ActionError: no layer may leave the stage.
    """
    removable = _removable(architecture, stage)
    number = min(removable, key=lambda number: _l1_norm(_layer_weights(weights, stage, number)))
    layers = stage_of(architecture, stage)
    remaining = layers[: number - 1] + layers[number:]
    return with_stages(architecture, {stage: remaining}), _without(weights, stage, number)


def add_layer(
    architecture: Architecture, weights: Weights, stage: int, position: int, seed: int
) -> Student:
    """Insert a layer after a block of a stage, shaped like it; the network stays the same function.

    What the layer adds to its input begins at zero, and its input is what it puts out: behind a ReLU
    in a ResNet, as it is in a MobileNetV2.

    Raises:
        ActionError: the stage has no such block.
    """
    layers = stage_of(architecture, stage)
    if not 1 <= position <= len(layers):
        raise ActionError(
            f"no layer can follow block {position} of stage {stage}: it has {len(layers)}"
        )
    model = layers[position - 1]
    added = scaled_layer(model, input_channels(architecture, stage, position), model.channels)
    first = convolutions(added)[0].name
    like = _layer_weights(weights, stage, position)[f"{first}.weight"]
    grown = (*layers[:position], added, *layers[position:])
    return (
        with_stages(architecture, {stage: grown}),
        _with(weights, stage, position, fresh_layer(added, like, seed)),
    )


def can_rearrange(architecture: Architecture, stage: int, to_stage: int) -> bool:
    """Whether the neighbour stage exists, and a layer may leave `stage`."""
    return 1 <= to_stage <= len(stages_of(architecture)) and bool(
        removable_layers(architecture, stage)
    )


def rearrange_layer(
    architecture: Architecture, weights: Weights, stage: int, to_stage: int, seed: int
) -> Student:
    """Move the layer next to the neighbour stage into it; its weights are sliced or padded.

    A stage's last layer moves behind the first one of the next stage, which stays the downsampling
    one; its first layer that may leave moves to the end of the stage before.

    Raises:
        ActionError: no layer may leave the stage, or `to_stage` is no neighbour of it.
    """
    removable = _removable(architecture, stage)
    target = stage_of(architecture, to_stage)
    if abs(to_stage - stage) != 1:
        raise ActionError(f"stage {to_stage} is no neighbour of stage {stage}")
    number, position = (removable[-1], 1) if to_stage > stage else (removable[0], len(target))
    layers = stage_of(architecture, stage)
    layer = layers[number - 1]
    moved = scaled_layer(layer, layer.channels, target[position - 1].channels)
    resized = resized_layer(layer, moved, _layer_weights(weights, stage, number), seed)
    changed = {
        stage: layers[: number - 1] + layers[number:],
        to_stage: (*target[:position], moved, *target[position:]),
    }
    remaining = _without(weights, stage, number)
    return with_stages(architecture, changed), _with(remaining, to_stage, position, resized)


def _removable(architecture: Architecture, stage: int) -> list[int]:
    removable = removable_layers(architecture, stage)
    if not removable:
        raise ActionError(
            f"no layer may leave stage {stage}: its only layer and its downsampling layer stay"
        )
    return removable


def _layer_weights(weights: Weights, stage: int, number: int) -> dict[str, Tensor]:
    """The tensors of a layer, by their names in it."""
    prefix = f"backbone.layer{stage}.{number - 1}."
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def _l1_norm(layer: Mapping[str, Tensor]) -> float:
    return sum(
        float(value.detach().abs().sum(dtype=value.dtype))
        for name, value in layer.items()
        if name.endswith((".weight", ".bias"))
    )


def _without(weights: Weights, stage: int, number: int) -> dict[str, Tensor]:
    """The weights without a layer: those behind it close up."""
    gone = f"backbone.layer{stage}.{number - 1}."
    kept = {name: value for name, value in weights.items() if not name.startswith(gone)}
    return _shifted(kept, stage, number, -1)


def _with(
    weights: Weights, stage: int, position: int, layer: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights with a further layer behind `position` others; those behind it make room."""
    inserted = {f"backbone.layer{stage}.{position}.{name}": value for name, value in layer.items()}
    return _shifted(weights, stage, position, 1) | inserted


def _shifted(weights: Weights, stage: int, first: int, by: int) -> dict[str, Tensor]:
    """The weights with the modules of a stage from index `first` renamed `by` places on."""
    prefix = f"backbone.layer{stage}."
    shifted = {}
    for name, value in weights.items():
        new = name
        if name.startswith(prefix):
            index, _, rest = name.removeprefix(prefix).partition(".")
            if int(index) >= first:
                new = f"{prefix}{int(index) + by}.{rest}"
        shifted[new] = value
    return shifted
