"""What a training image costs in a network or a supernet, measured on meta tensors before there are weights.

The cost model counts. A supernet is built with two candidates instead of all; what those two add is
taken off again, and the mean of all candidates put in, as often as a step runs one. So a plan takes
seconds, and a network that is not searched yet counts as the mean of its candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from pipeline.config.supernet import Depths, SupernetConfig
from pipeline.detection.builder import Surroundings, build_backbone, build_detector
from pipeline.detection.complexity import bbox_heads, roi_features
from pipeline.hit_detector.spaces import Operations, supernet_architecture
from pipeline.plan.cost import Footprint, TrainingCost, Work
from pipeline.plan.live import LiveBytes, without_gradients_of
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.search_space.cost import CostCounter, parameters
from pipeline.search_space.depthwise import LARGE_KERNEL, DepthwiseConv2d, on_submaps
from pipeline.search_space.heads import OneStageHead
from pipeline.search_space.operations import build_operation
from pipeline.supernet.choice import choice_layers

PAIR = 2
"""Images at once, as the layers are meant for."""
SIDE = 32
"""Of the map on which candidates are measured, large against what autograd keeps for each channel."""
WIDE = (256, 512)
"""Sides of two maps whose difference tells what grows with the map; gradients of weights do not."""


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
    return replace(cost, whole=cost.whole + Footprint(linear, linear))


def architecture_cost(architecture: Architecture, rois: int) -> TrainingCost:
    """A detector whose architecture is known, at its input size.

    Args:
        architecture: a network, not a supernet.
        rois: that the head processes of an image, in a two-stage detector.
    """
    return _architecture_cost(architecture.model_dump_json(), rois)


@cache
def _architecture_cost(text: str, rois: int) -> TrainingCost:
    architecture = Architecture.model_validate_json(text)
    with torch.device("meta"):
        # mmcv makes the weights of its deformable convolutions on the CPU all the same
        model: Any = build_detector(architecture, Surroundings()).to("meta")

        def run() -> Any:
            return _run_detector(model, architecture, architecture.input_size, rois)

        found = _watched(model, run)
        with without_gradients_of(model), LiveBytes() as live:
            sum_of(run()).backward()
        looking = _looking(run)
    return TrainingCost(
        found, in_flight=max(0.0, live.peak / PAIR - found.kept), looking=looking / PAIR
    )


def _run_detector(model: Any, architecture: Architecture, size: tuple[int, int], rois: int) -> Any:
    """The heads' outputs of a pair of images."""
    levels = model.neck(model.backbone(torch.empty(PAIR, 3, *size)))
    if isinstance(architecture.head, OneStageHead):
        return model.bbox_head(levels)
    proposed = model.rpn_head(levels)
    pooled = roi_features(architecture, PAIR * rois)
    # in a cascade every stage processes all RoIs
    return proposed, [head(pooled) for head in bbox_heads(model)]


def sum_of(outputs: Any) -> Tensor:
    """Of all numbers of some tensors, however they are nested; a scalar to begin a backward pass with."""
    return torch.stack([tensor.sum() for tensor in tree_leaves(outputs)]).sum()


def _supernet_cost(
    build: Callable[[Mapping[str, Operations]], tuple[Any, Architecture]],
    run: Callable[[Any, Architecture], Any],
    components: Mapping[str, Component | str],
    shape: SupernetConfig,
) -> TrainingCost:
    operations: dict[str, Operations] = {
        name: part if isinstance(part, str) else part.candidates[:2]
        for name, part in components.items()
    }
    with torch.device("meta"):
        model, architecture = build(operations)
        counted = _input_positions(model)
        whole = _watched(model, lambda: run(model, architecture))
        positions = dict(counted)
        twins_looking = _looking(lambda: run(model, architecture)) / PAIR
    again, largest, looking = Work(), 0.0, 0.0
    # of each layer, in their order: what it keeps, and the peak of its largest candidate beyond that
    layers: list[tuple[float, float]] = []
    for name, layer in choice_layers(model).items():
        part = components[_component(name)]
        assert isinstance(part, Component), f"{name} holds candidates"
        key = (layer.in_channels, layer.out_channels, layer.stride, positions[name])
        for twin in layer.names:
            whole += _operation(twin, *key).times(-1, -1, -1)
        each = [_operation(candidate, *key) for candidate in part.candidates]
        most, by = max((one.kept, name) for one, name in zip(each, part.candidates, strict=True))
        peak = _at_peak(by, *key)
        seen, twins = (
            max(_seen(name, *key) for name in names) for names in (part.candidates, layer.names)
        )
        looking = max(looking, seen - twins)
        mean = sum(each, Footprint()).times(*(1 / len(each),) * 3)
        # a layer with one candidate is a plain operation: nothing is weighted, nothing recomputed
        recomputed = shape.execution == "recompute" and part.held > 1
        whole += mean.times(part.held, part.run, 0 if recomputed else part.run)
        if recomputed:
            again += mean.work * part.run
            largest = max(largest, most)
            layers.append((0.0, peak))
        else:
            layers.append((part.run * mean.kept, peak - most))
    # when the backward pass comes to a layer, what later ones kept is gone
    later = in_flight = 0.0
    for kept, peak in reversed(layers):
        in_flight = max(in_flight, peak - later)
        later += kept
    recomputing = largest > 0
    return TrainingCost(
        whole + Footprint(kept=largest),
        again,
        max(0.0, in_flight - largest * recomputing),
        twins_looking + looking,
    )


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


def _at_peak(name: str, inputs: int, outputs: int, stride: int, positions: int) -> float:
    """Bytes of a candidate's forward and backward pass at their peak, for one image of a pair.

    With the gradients of its output and its input; without the input, and gradients of weights.
    """
    small, large = (_peak_on_map(name, inputs, outputs, stride, side) for side in WIDE)
    return (large - small) / (WIDE[1] ** 2 - WIDE[0] ** 2) * positions / PAIR


def _seen(name: str, inputs: int, outputs: int, stride: int, positions: int) -> float:
    """Bytes of a candidate's forward pass at its peak, for one image of a pair, if nothing is kept."""
    return _seen_on_map(name, inputs, outputs, stride) * positions / PAIR


@cache
def _seen_on_map(name: str, inputs: int, outputs: int, stride: int) -> float:
    """The same of each position of a map."""
    with torch.device("meta"):
        operation = build_operation(name, inputs, outputs, stride)
        _lighten(operation, apart=True)
        image = torch.empty(1, inputs, WIDE[0], WIDE[0])
        return _looking(lambda: operation(image)) / WIDE[0] ** 2


def _looking(run: Callable[[], Any]) -> int:
    """Bytes that are alive at once while something runs without gradients."""
    with torch.no_grad(), LiveBytes() as live:
        run()
    return live.peak


@cache
def _peak_on_map(name: str, inputs: int, outputs: int, stride: int, side: int) -> int:
    with torch.device("meta"):
        operation = build_operation(name, inputs, outputs, stride)
        _lighten(operation, apart=True)
        image = torch.empty(1, inputs, side, side, requires_grad=True)
        weight = torch.ones((), requires_grad=True)
        with LiveBytes() as live, without_gradients_of(operation):
            output = operation(image) * weight
            output.backward(torch.empty_like(output))
    return live.peak


def _lighten(module: nn.Module, *, apart: bool = False) -> None:
    """Let batch normalisation scale only: on meta tensors that keeps the same, much faster.

    Depthwise convolutions that go another way on a device than on meta tensors hold what they hold there:
    dilated ones and those of large kernels keep a copy of their input.

    Args:
        module: of meta tensors.
        apart: whether dilated ones take their input apart as on large maps, for the peak of the memory; else
            they copy it only, which keeps as much on a map of any size.
    """

    def another_way(layer: DepthwiseConv2d):
        stride, dilation = layer.stride[0], layer.dilation[0]
        plain = layer.forward

        def forward(input: Tensor) -> Tensor:
            if apart and dilation > 1:
                return on_submaps(input, layer.weight, stride, dilation)
            return plain(input.clone())

        return forward

    for layer in module.modules():
        if isinstance(layer, DepthwiseConv2d) and (
            layer.dilation[0] > 1 or layer.kernel_size[0] >= LARGE_KERNEL
        ):
            layer.forward = another_way(layer)  # type: ignore[method-assign]

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
