"""What a training image costs in a network or a supernet, measured on meta tensors before there are weights.

The cost model counts. A supernet is built with two candidates instead of all; what those two add is
taken off again, and the mean of all candidates put in, as often as a step runs one. So a plan takes
seconds, and a network that is not searched yet counts as the mean of its candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.config.supernet import Depths, SupernetConfig
from pipeline.detection.builder import Surroundings, build_backbone, build_detector
from pipeline.hit_detector.spaces import Operations, supernet_architecture
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.search_space.cost import CostCounter, parameters
from pipeline.search_space.heads import OneStageHead
from pipeline.search_space.operations import build_operation
from pipeline.supernet.choice import choice_layers

FLOAT = 4
"""Bytes of a number."""
PAIR = 2
"""Images at once, as the layers are meant for."""
SIDE = 32
"""Of the map on which candidates are measured, large against what autograd keeps for each channel."""


@dataclass(frozen=True)
class Work:
    """Computation, by what it takes of a device.

    Attributes:
        macs: multiply-accumulates.
        depthwise: those of them that depthwise convolutions do.
        normalised: numbers that batch normalisations put out in training.
    """

    macs: float = 0.0
    depthwise: float = 0.0
    normalised: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.macs + other.macs,
            self.depthwise + other.depthwise,
            self.normalised + other.normalised,
        )

    def __mul__(self, factor: float) -> Work:
        return Work(self.macs * factor, self.depthwise * factor, self.normalised * factor)


@dataclass(frozen=True)
class Footprint:
    """What a part of a network takes, for one image.

    Attributes:
        params: parameters.
        macs: multiply-accumulates of a forward pass.
        kept: bytes that autograd keeps of a forward pass for the backward pass, parameters left out.
        depthwise: those of `macs` that depthwise convolutions do.
        normalised: numbers that batch normalisations put out in a forward pass.
    """

    params: float = 0.0
    macs: float = 0.0
    kept: float = 0.0
    depthwise: float = 0.0
    normalised: float = 0.0

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(
            self.params + other.params,
            self.macs + other.macs,
            self.kept + other.kept,
            self.depthwise + other.depthwise,
            self.normalised + other.normalised,
        )

    def times(self, params: float, macs: float, kept: float) -> Footprint:
        """Parameters, computation of every kind and bytes, each times a factor."""
        return Footprint(
            self.params * params,
            self.macs * macs,
            self.kept * kept,
            self.depthwise * macs,
            self.normalised * macs,
        )

    @property
    def work(self) -> Work:
        """The computation of a forward pass."""
        return Work(self.macs, self.depthwise, self.normalised)


@dataclass(frozen=True)
class TrainingCost:
    """A network in training, for one image.

    Attributes:
        whole: all of it, as a step runs it.
        again: what the backward pass computes a second time.
    """

    whole: Footprint
    again: Work = Work()

    @property
    def step_macs(self) -> float:
        """Multiply-accumulates of a step."""
        return self.step.macs

    @property
    def step(self) -> Work:
        """Forward and backward pass: the backward pass takes twice the forward's."""
        return self._passes(3)

    @property
    def architecture_step(self) -> Work:
        """The same where α alone gets gradients: the backward pass takes as much as the forward's."""
        return self._passes(2)

    @property
    def tested(self) -> Work:
        """A forward pass that is not trained: batch normalisation is part of the convolutions' time."""
        return Work(self.whole.macs, self.whole.depthwise)

    def _passes(self, number: int) -> Work:
        forward = self.whole.work
        return (
            Work(number * forward.macs, number * forward.depthwise, forward.normalised) + self.again
        )


@dataclass(frozen=True)
class Component:
    """What the choice layers of a component hold.

    Attributes:
        candidates: the operations that they may hold.
        held: how many of them they do, as far as known: which ones is seen after the screening.
        run: how many a step runs.
    """

    candidates: tuple[str, ...]
    held: int
    run: int


def detector_cost(
    shape: SupernetConfig,
    depth: Depths,
    components: Mapping[str, Component | str],
    rois: int,
    classes: int,
) -> TrainingCost:
    """A detection supernet, or with one candidate held the detector that is derived from it.

    Args:
        shape: the `supernet` section.
        depth: blocks of each backbone stage.
        components: what each holds; a name where it is one fixed operation.
        rois: that the head processes of an image.
        classes: of objects.
    """
    # a frozen model is hashable, though its type does not say so
    hashable: Any = shape
    return _detector_cost(hashable, depth, tuple(components.items()), rois, classes)


@cache
def _detector_cost(
    shape: SupernetConfig,
    depth: Depths,
    components: tuple[tuple[str, Component | str], ...],
    rois: int,
    classes: int,
) -> TrainingCost:
    def build(operations: Mapping[str, Operations]) -> tuple[Any, Architecture]:
        architecture = supernet_architecture(shape, classes, depth, operations)
        return build_detector(architecture, Surroundings()), architecture

    def run(model: Any, architecture: Architecture) -> None:
        _run_detector(model, architecture, shape.input_size, rois)

    return _supernet_cost(build, run, dict(components), shape)


def backbone_cost(
    shape: SupernetConfig, depth: Depths, held: Component, side: int, classes: int
) -> TrainingCost:
    """The backbone of a supernet, or of the network derived from it, that learns to classify.

    Args:
        shape: the `supernet` section.
        depth: blocks of each stage.
        held: its candidates.
        side: of the image, pixels.
        classes: of the classification.
    """

    def build(operations: Mapping[str, Operations]) -> tuple[Any, Architecture]:
        architecture = supernet_architecture(shape, 1, depth, operations)
        return build_backbone(architecture), architecture

    def run(model: Any, architecture: Architecture) -> None:
        model(torch.empty(PAIR, 3, side, side))

    whole = {"backbone": held, "neck": held.candidates[0], "head": held.candidates[0]}
    cost = _supernet_cost(build, run, whole, shape)
    linear = shape.channels[-1] * classes
    return TrainingCost(cost.whole + Footprint(linear, linear), cost.again)


def architecture_cost(architecture: Architecture, rois: int) -> TrainingCost:
    """A detector whose architecture is known, at its input size.

    Args:
        architecture: a network, not a supernet.
        rois: that the head processes of an image, in a two-stage detector.
    """
    with torch.device("meta"):
        model: Any = build_detector(architecture, Surroundings())
        found = _watched(
            model, lambda: _run_detector(model, architecture, architecture.input_size, rois)
        )
    return TrainingCost(found)


def _run_detector(model: Any, architecture: Architecture, size: tuple[int, int], rois: int) -> None:
    levels = model.neck(model.backbone(torch.empty(PAIR, 3, *size)))
    if isinstance(architecture.head, OneStageHead):
        model.bbox_head(levels)
        return
    model.rpn_head(levels)
    side = architecture.head.roi_size
    model.roi_head.bbox_head(torch.empty(PAIR * rois, architecture.neck.channels, side, side))


def _supernet_cost(
    build: Callable[[Mapping[str, Operations]], tuple[Any, Architecture]],
    run: Callable[[Any, Architecture], None],
    components: Mapping[str, Component | str],
    shape: SupernetConfig,
) -> TrainingCost:
    operations: dict[str, Operations] = {
        name: part if isinstance(part, str) else part.candidates[:2]
        for name, part in components.items()
    }
    with torch.device("meta"):
        model, architecture = build(operations)
        positions = _input_positions(model)
        whole = _watched(model, lambda: run(model, architecture))
    again, largest = Work(), 0.0
    for name, layer in choice_layers(model).items():
        part = components[_component(name)]
        assert isinstance(part, Component), f"{name} holds candidates"
        key = (layer.in_channels, layer.out_channels, layer.stride, positions[name])
        for twin in layer.names:
            whole += _operation(twin, *key).times(-1, -1, -1)
        each = [_operation(candidate, *key) for candidate in part.candidates]
        mean = sum(each, Footprint()).times(*(1 / len(each),) * 3)
        # a layer with one candidate is a plain operation: nothing is weighted, nothing recomputed
        recomputed = shape.execution == "recompute" and part.held > 1
        whole += mean.times(part.held, part.run, 0 if recomputed else part.run)
        if recomputed:
            again += mean.work * part.run
            largest = max(largest, *(one.kept for one in each))
    return TrainingCost(whole + Footprint(kept=largest), again)


def _component(module: str) -> str:
    """The component that a choice layer belongs to, by its module's name; a lone module is a backbone."""
    for component in COMPONENTS:
        if component in module.partition(".")[0]:
            return component
    return "backbone"


def _input_positions(model: nn.Module) -> dict[str, int]:
    """Of each choice layer samples · height · width of all its inputs, filled when the model runs."""
    positions: dict[str, int] = {}

    def add(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            samples, _, height, width = inputs[0].shape
            positions[name] = positions.get(name, 0) + samples * height * width

        return hook

    for name, layer in choice_layers(model).items():
        layer.register_forward_hook(add(name))
    return positions


def _watched(model: nn.Module, run: Callable[[], Any]) -> Footprint:
    _lighten(model)
    with CostCounter().watch(model) as counter, kept_bytes(model) as kept:
        run()
    return Footprint(parameters(model), *_counted(counter, kept(), PAIR))


def _counted(counter: CostCounter, kept: float, images: int) -> tuple[float, float, float, float]:
    macs, depthwise, normalised = counter.macs, counter.depthwise, counter.normalised
    return macs / images, kept / images, depthwise / images, normalised / images


def _operation(name: str, inputs: int, outputs: int, stride: int, positions: int) -> Footprint:
    """A candidate in a choice layer, for one image of a pair.

    Args:
        name: of the operation.
        inputs: channels.
        outputs: channels.
        stride: where it is 2, both sides of the input must be even.
        positions: samples (RoIs, too) · height · width of what the layer takes in.
    """
    maps = positions / PAIR / SIDE**2
    return _on_small_map(name, inputs, outputs, stride).times(1, maps, maps)


@cache
def _on_small_map(name: str, inputs: int, outputs: int, stride: int) -> Footprint:
    """The same on one small map: computation and activations grow with the map's positions.

    Its input, which the layer has anyway, is not counted.
    """
    with torch.device("meta"):
        operation = build_operation(name, inputs, outputs, stride)
        _lighten(operation)
        image = torch.empty(1, inputs, SIDE, SIDE, requires_grad=True)
        weight = torch.ones((), requires_grad=True)
        with CostCounter().watch(operation) as counter, kept_bytes(operation, image) as kept:
            _ = operation(image) * weight
    return Footprint(parameters(operation), *_counted(counter, kept(), 1))


def _lighten(module: nn.Module) -> None:
    """Let batch normalisation scale only: on meta tensors that keeps the same, much faster."""

    def scale(norm: nn.BatchNorm2d):
        def forward(input: Tensor) -> Tensor:
            return input * norm.weight[:, None, None]

        return forward

    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.forward = scale(norm)  # type: ignore[method-assign]


@contextmanager
def kept_bytes(module: nn.Module, *others: Tensor) -> Iterator[Callable[[], float]]:
    """Bytes of storage that autograd keeps while the context is open, each storage once.

    Args:
        module: its parameters are left out.
        others: tensors that are left out, too.
    """
    own = {each.untyped_storage()._cdata for each in (*module.parameters(), *others)}
    kept: dict[int, int] = {}
    # a storage's address may be taken again when nothing holds it any more
    held: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own and storage._cdata not in kept:
            kept[storage._cdata] = storage.nbytes()
            held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield lambda: float(sum(kept.values()))


def derived(candidates: Sequence[str]) -> Component:
    """A component of a derived network: one operation a layer, which one is not known yet."""
    return Component(tuple(candidates), 1, 1)
