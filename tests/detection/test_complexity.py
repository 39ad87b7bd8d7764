"""The cost of whole detectors: the released Hit-Detector against the paper, and PyTorch's counter."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.config.run import Computing
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import detector_complexity, fill_candidate_macs, stage_costs
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import (
    Architecture,
    Block,
    BlockBackbone,
    BlockHead,
    PathNeck,
    Rpn,
    Stem,
)
from pipeline.search_space.cost import Cost
from pipeline.supernet.choice import choice_layers
from pipeline.training.computing import computed
from pipeline.zoo.architectures import zoo_architecture

# a fact taken from the authors' public configuration; channels and operations of each stage
RELEASED = (
    ((48,) * 4, "k3_d1_e3 k3_d1_e3 k3_d2_e3 k3_d1_e3"),
    ((96,) * 4, "k5_d1_e6 k5_d1_e6 k3_d1_e3 k3_d1_e3"),
    (
        (184,) * 4 + (256,) * 4,
        "k7_d1_e6 k5_d1_e6 k5_d2_e6 k5_d1_e3 k5_d1_e6 k5_d2_e6 k5_d1_e6 k5_d2_e6",
    ),
    ((352,) * 4 + (1024,), "k7_d1_e6 k5_d1_e6 k5_d2_e6 k5_d1_e6 k3_d1_e3"),
)
TOP_DOWN = ("sep_k5_d3", "sep_k5_d3", "sep_k5_d2", "sep_k3_d3")
BOTTOM_UP = ("sep_k3_d3", "sep_k5_d3", "sep_k5_d3", "sep_k3_d3")
HEAD = ("ir_k5_d1_e6", "ir_k3_d1_e6", "ir_k5_d1_e6", "ir_k5_d1_e6")


def _released() -> Architecture:
    stages = [
        tuple(
            Block(operation=f"ir_{name}", channels=width, stride=1 if number else 2)
            for number, (width, name) in enumerate(zip(widths, names.split(), strict=True))
        )
        for widths, names in RELEASED
    ]
    stages[3] += (Block(operation="conv_k1_d1", channels=2048),)

    def wide(names: tuple[str, ...]) -> tuple[Block, ...]:
        return tuple(Block(operation=name, channels=256) for name in names)

    return Architecture(
        family="hit_detector",
        classes=80,
        input_size=(800, 1216),
        backbone=BlockBackbone(stem=Stem(channels=16, bias=True), stages=tuple(stages)),
        neck=PathNeck(top_down=wide(TOP_DOWN), bottom_up=wide(BOTTOM_UP)),
        rpn=Rpn(),
        head=BlockHead(blocks=wide(HEAD)),
    )


def test_the_released_network_costs_what_the_paper_says() -> None:
    complexity = detector_complexity(_released(), proposals=1000)
    # mmdetection 1.x regresses a box of the background too: 4 more outputs of 512 weights and a bias
    assert complexity.total.params + 4 * (512 + 1) == pytest.approx(27.124e6, rel=1e-3)
    assert complexity.total.macs == pytest.approx(269.44e9, rel=1e-3)
    assert complexity.total.paper_flops == pytest.approx(272.28e9, rel=1e-3)
    # the paper prints 27.12 M and 272.3 G
    params = {name: round(cost.params / 1e6, 2) for name, cost in complexity.components.items()}
    assert params == {"backbone": 13.88, "neck": 2.72, "rpn": 0.59, "head": 9.93}


SHAPE = SupernetConfig(
    input_size=(64, 96),
    stem_channels=4,
    channels=(6, 8, 8, 12),
    neck_channels=8,
    rpn_channels=10,
    head_blocks=2,
    head_fc_channels=16,
    roi_size=3,
)
OPERATIONS = {
    "backbone": ("ir_k3_d1_e3", "conv_k5_d2"),
    "neck": ("sep_k3_d1", "ir_k7_d1_e1", "conv_k3_d3"),
    "head": ("ir_k5_d1_e1", "sep_k3_d2"),
}


ONE_STAGE = SHAPE.model_copy(update={"family": "retinanet"})
SHAPES = pytest.mark.parametrize("shape", [SHAPE, ONE_STAGE], ids=lambda shape: shape.family)


def _network(shape: SupernetConfig = SHAPE) -> Architecture:
    first = {component: names[0] for component, names in OPERATIONS.items()}
    return supernet_architecture(shape, 3, (2, 1, 2, 1), first)


@SHAPES
def test_components_agree_with_pytorch_s_counter(shape: SupernetConfig) -> None:
    network = _network(shape)
    complexity = detector_complexity(network, proposals=20).components
    # on the meta device every convolution is one; the CPU computes some in another way
    model: Any = build_detector(network, Surroundings()).eval().to("meta")
    images = torch.empty(1, 3, 64, 96, device="meta")
    rois = torch.empty(20, 8, 3, 3, device="meta")
    with torch.no_grad():
        maps = model.backbone(images)
        levels = model.neck(maps)
        parts = [("backbone", model.backbone, images), ("neck", model.neck, maps)]
        if shape.one_stage:
            parts.append(("head", model.bbox_head, levels))
        else:
            parts += [("rpn", model.rpn_head, levels), ("head", model.roi_head.bbox_head, rois)]
        assert list(complexity) == [name for name, _, _ in parts]
        for name, module, input in parts:
            with FlopCounterMode(display=False) as counter:
                module(input)
            assert complexity[name].macs == counter.get_total_flops() // 2, name
            assert complexity[name].params == sum(p.numel() for p in module.parameters()), name
    total = sum(p.numel() for p in model.parameters())
    assert sum(complexity.values(), Cost()).params == total


@pytest.mark.parametrize("shape", [SHAPE, ONE_STAGE, None], ids=["two", "one", "deformable"])
def test_costs_are_the_same_where_a_run_computes_in_bf16(shape: SupernetConfig | None) -> None:
    """Costs are counted without values, on a device for which torch knows no precision."""
    network = _network(shape) if shape else zoo_architecture("reppoints_r101")
    exact = detector_complexity(network, proposals=20)
    with computed(Computing(precision="bf16")):
        assert detector_complexity(network, proposals=20) == exact


def test_only_the_head_depends_on_proposals_and_only_the_rest_on_the_size() -> None:
    network = _network()
    small = detector_complexity(network, proposals=20).components
    many = detector_complexity(network, proposals=60).components
    large = detector_complexity(network, proposals=20, input_size=(128, 192)).components
    assert many["head"].macs == 3 * small["head"].macs
    assert large["head"] == small["head"]
    for name in ("backbone", "neck", "rpn"):
        assert many[name] == small[name]
        # the finest levels' share grows fourfold; a level of odd sides a little less or more
        assert large[name].macs == pytest.approx(4 * small[name].macs, rel=0.02)
        assert large[name].params == small[name].params


def test_each_candidate_s_macs_are_those_of_its_place() -> None:
    """Against running each candidate on what its layer gets in a forward pass."""
    supernet = supernet_architecture(SHAPE, 3, (2, 1, 2, 1), OPERATIONS)
    model: Any = build_detector(supernet, Surroundings()).eval()
    fill_candidate_macs(model, supernet, proposals=20)
    inputs: dict[str, torch.Tensor] = {}
    layers = choice_layers(model)
    for name, layer in layers.items():
        layer.register_forward_hook(lambda _, args, __, name=name: inputs.update({name: args[0]}))
    macs_of = {name: layer.macs.tolist() for name, layer in layers.items()}
    model.to("meta")
    with torch.no_grad():
        model.extract_feat(torch.empty(1, 3, 64, 96, device="meta"))
        model.roi_head.bbox_head(torch.empty(20, 8, 3, 3, device="meta"))
        for name, layer in layers.items():
            for operation, macs in zip(layer.names, macs_of[name], strict=True):
                with FlopCounterMode(display=False) as counter:
                    layer.candidates[operation](inputs[name])
                assert macs == counter.get_total_flops() // 2 > 0, (name, operation)


@SHAPES
def test_a_derived_network_costs_what_its_path_costs(shape: SupernetConfig) -> None:
    """Eq. 7 at a one-hot α is the cost of the searched layers, on all levels of a one-stage detector."""
    supernet = supernet_architecture(shape, 3, (2, 1, 2, 1), OPERATIONS)
    model = build_detector(supernet, Surroundings())
    fill_candidate_macs(model, supernet, proposals=20)
    costs = []
    for index in (0, 1):
        searched = sum(float(layer.macs[index]) for layer in choice_layers(model).values())
        network = supernet.with_operations(lambda c, *_, index=index: OPERATIONS[c][index])
        costs.append(detector_complexity(network, proposals=20).total.macs - searched)
    # stem, merges, RPN and the head's linear layers are the same in both
    assert costs[0] == costs[1] > 0


@pytest.mark.parametrize("name", ["fpn_r18", "fpn_r50_2fc", "fpn_x101_32x4d", "fpn_mobilenetv2"])
def test_the_stages_add_up_to_the_backbone(name: str) -> None:
    architecture = zoo_architecture(name)
    stages = stage_costs(architecture, (64, 96))
    whole = detector_complexity(architecture, 10, (64, 96)).components["backbone"]
    assert sum(stages.values(), Cost()) == whole
    assert next(iter(stages)) == "stem" and all(cost.macs > 0 for cost in stages.values())


def test_a_stage_of_a_resnet_by_hand() -> None:
    """Stage 1 of ResNet-18 at 64 × 96: four 3×3 convolutions of 64 channels on 16 × 24 places."""
    cost = stage_costs(zoo_architecture("fpn_r18"), (64, 96))["stage1"]
    assert cost.macs == 4 * 9 * 64 * 64 * 16 * 24
    assert cost.params == 4 * (9 * 64 * 64 + 2 * 64)
