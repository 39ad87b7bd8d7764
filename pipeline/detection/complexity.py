"""Parameters and computation of a detector per component, at a stated input size and proposal count."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from pipeline.detection.builder import Surroundings, build_backbone, build_detector
from pipeline.search_space.architecture import Architecture, MobileNetV2Backbone, ResNetBackbone
from pipeline.search_space.cost import Cost, CostCounter, measure, operation_cost, parameters
from pipeline.search_space.heads import BlockHead, ConvFcHead, OneStageHead
from pipeline.supernet.choice import choice_layers


@dataclass(frozen=True)
class Complexity:
    """Cost of each component of a detector: backbone, neck, head, and with two stages also rpn."""

    components: dict[str, Cost]

    @property
    def total(self) -> Cost:
        """Cost of the whole detector."""
        return sum(self.components.values(), Cost())


def detector_complexity(
    architecture: Architecture,
    proposals: int,
    input_size: tuple[int, int] | None = None,
    *,
    background_boxes: bool = False,
) -> Complexity:
    """Count a detector's cost on meta tensors, for one image.

    Args:
        architecture: the network; a supernet counts all its candidates.
        proposals: RoIs that the head processes, in a two-stage detector.
        input_size: (height, width) in pixels; the architecture's own by default.
        background_boxes: count the RoI head as mmdetection 1.x built it and both papers counted
            it: it regressed a box for the background too, so it has 4 · (classes + 1) outputs.
    """
    with torch.device("meta"):
        model: Any = build_detector(architecture, Surroundings()).eval()
        if background_boxes and architecture.rpn is not None:
            for head in bbox_heads(model):
                head.fc_reg = nn.Linear(head.fc_reg.in_features, 4 * (architecture.classes + 1))
    return _run_components(model, architecture, proposals, input_size or architecture.input_size)


def _run_components(
    model: Any, architecture: Architecture, proposals: int, input_size: tuple[int, int]
) -> Complexity:
    images = torch.empty(1, 3, *input_size, device="meta")
    backbone, maps = measure(lambda: model.backbone(images), model.backbone)
    neck, levels = measure(lambda: model.neck(maps), model.neck)
    if isinstance(architecture.head, OneStageHead):
        head, _ = measure(lambda: model.bbox_head(levels), model.bbox_head)
        return Complexity({"backbone": backbone, "neck": neck, "head": head})
    rpn, _ = measure(lambda: model.rpn_head(levels), model.rpn_head)
    rois = roi_features(architecture, proposals)
    # in a cascade every stage processes all RoIs
    heads = bbox_heads(model)
    head, _ = measure(lambda: [one(rois) for one in heads], *heads)
    return Complexity({"backbone": backbone, "neck": neck, "rpn": rpn, "head": head})


def roi_features(architecture: Architecture, rois: int) -> torch.Tensor:
    """What a head on RoIs is given, on the meta device: (rois, C, S, S)."""
    head, channels = architecture.head, architecture.neck.channels
    assert isinstance(head, BlockHead | ConvFcHead), "a one-stage head is given no RoIs"
    assert isinstance(channels, int), "the format asks for a pyramid of one width before it"
    return torch.empty(rois, channels, head.roi_size, head.roi_size, device="meta")


def bbox_heads(model: Any) -> list[Any]:
    """The RoI head's layers, of each stage of a cascade."""
    heads = model.roi_head.bbox_head
    return list(heads) if isinstance(heads, nn.ModuleList) else [heads]


def stage_costs(
    architecture: Architecture, input_size: tuple[int, int] | None = None
) -> dict[str, Cost]:
    """Cost of each stage of a ResNet's or MobileNetV2's backbone, counted on meta tensors for one image.

    Args:
        architecture: of the detector.
        input_size: (height, width) in pixels; the architecture's own by default.

    Returns:
        By name: `stem`, `stage1` and so on, and `last` for what comes behind the stages. Their sum is
        the backbone's cost.

    Raises:
        ValueError: the backbone is made of something else.
    """
    if not isinstance(architecture.backbone, ResNetBackbone | MobileNetV2Backbone):
        raise ValueError(
            "stages are counted of a resnet or mobilenetv2 backbone, not of "
            f"{architecture.backbone.type}"
        )
    with torch.device("meta"):
        backbone = build_backbone(architecture)
    # mmdet's own return nothing here
    backbone.eval()
    parts: dict[str, list[nn.Module]] = {"stem": []}
    for name, module in backbone.named_children():
        if name.startswith("layer"):
            parts[f"stage{name.removeprefix('layer')}"] = [module]
        else:
            # a MobileNetV2's second convolution
            parts.setdefault("last" if name == "conv2" else "stem", []).append(module)
    with ExitStack() as stack, torch.no_grad():
        counters = {
            name: stack.enter_context(CostCounter().watch(*modules))
            for name, modules in parts.items()
        }
        backbone(torch.empty(1, 3, *(input_size or architecture.input_size), device="meta"))
    return {
        name: Cost(parameters(*parts[name]), counter.macs, counter.paper_flops)
        for name, counter in counters.items()
    }


class Placed(NamedTuple):
    """An operation at a place: channels, stride, and the input's samples, height and width."""

    operation: str
    in_channels: int
    out_channels: int
    stride: int
    shape: tuple[int, int, int]

    def __str__(self) -> str:
        samples, height, width = self.shape
        return (
            f"{self.operation}, {self.in_channels} to {self.out_channels} channels, stride {self.stride}, "
            f"on {samples} x {height} x {width}"
        )


def candidate_places(architecture: Architecture, proposals: int) -> dict[str, list[list[Placed]]]:
    """Where every candidate of a supernet runs for one image, by the names of the choice layers.

    Args:
        architecture: of the supernet; places hold at its input size.
        proposals: RoIs that the head processes, in a two-stage detector.

    Returns:
        For each candidate of a layer one place, of a tower's layers one for each level.
    """
    with torch.device("meta"):
        twin = build_detector(architecture, Surroundings()).eval()
    shapes: dict[str, list[tuple[int, int, int]]] = {}

    def remember(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            samples, _, height, width = inputs[0].shape
            shapes.setdefault(name, []).append((samples, height, width))

        return hook

    layers = choice_layers(twin)
    for name, layer in layers.items():
        layer.register_forward_hook(remember(name))
    _run_components(twin, architecture, proposals, architecture.input_size)
    return {
        name: [
            [
                Placed(candidate, layer.in_channels, layer.out_channels, layer.stride, shape)
                for shape in shapes[name]
            ]
            for candidate in layer.names
        ]
        for name, layer in layers.items()
    }


def candidate_macs(architecture: Architecture, proposals: int) -> dict[str, list[float]]:
    """FLOPs(o, l) of Eq. 7 for one image: MACs of every candidate, by the names of the choice layers.

    Args:
        architecture: of a supernet; costs hold at its input size.
        proposals: RoIs that the head processes, in a two-stage detector. The layers of towers count
            what they cost on all levels.
    """
    return {
        name: [float(sum(operation_cost(*place).macs for place in each)) for each in candidates]
        for name, candidates in candidate_places(architecture, proposals).items()
    }


def fill_candidate_macs(model: nn.Module, architecture: Architecture, proposals: int) -> None:
    """Set `macs` of every choice layer of a supernet, the model that was built of `architecture`."""
    macs = candidate_macs(architecture, proposals)
    for name, layer in choice_layers(model).items():
        layer.macs.copy_(torch.tensor(macs[name]))
