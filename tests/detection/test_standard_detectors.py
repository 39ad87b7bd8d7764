"""Standard and irregular backbones against torchvision and mmdet; detectors made of them train."""

from typing import Any

import pytest
import torch
import torchvision
from mmdet.models.necks import NASFPN
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torchvision.models.shufflenetv2 import InvertedResidual, channel_shuffle

from pipeline.config.detector import DetectorConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings, build_backbone, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.detection.inverted import InvertedBackbone
from pipeline.detection.loss import detection_loss
from pipeline.detection.nas_fpn import NasFpnNeck as OurNasFpn
from pipeline.detection.residual import ResidualBackbone
from pipeline.detection.shuffle import ShuffleLayer
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import (
    COMPONENTS,
    Architecture,
    Backbone,
    BlockBackbone,
    ConvFcHead,
    FpnNeck,
    InvertedBlock,
    MobileNetV2Backbone,
    NasFpnNeck,
    ResidualBlock,
    ResNetBackbone,
    RetinaHead,
    Rpn,
    ShuffleBackbone,
    ShuffleBlock,
    Stem,
)
from pipeline.search_space.standard import mobilenetv2_backbone, resnet_backbone
from pipeline.zoo.architectures import zoo_architecture

AROUND = Surroundings(
    detector=DetectorConfig(rpn_samples=16, proposals=20, roi_samples=8, image_scale=(64, 64))
)


def _two_stage(backbone: Backbone, **changes: Any) -> Architecture:
    parts: dict[str, Any] = {
        "family": "faster_rcnn",
        "neck": FpnNeck(channels=8),
        "rpn": Rpn(channels=8, anchor_scale=4),
        "head": ConvFcHead(roi_size=3, convs=(6,), fcs=(16, 16)),
    }
    return Architecture(backbone=backbone, classes=3, input_size=(64, 96), **(parts | changes))


def _one_stage(backbone: Backbone) -> Architecture:
    return _two_stage(
        backbone,
        family="retinanet",
        neck=FpnNeck(channels=8, first_stage=2, extra="convolution"),
        rpn=None,
        head=RetinaHead(class_tower=(8, 8), box_tower=(8, 8)),
    )


def _randomise(module: nn.Module) -> None:
    """Give every parameter and statistic a value that tells when it is misplaced."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point() and value.dim() == 1:
                low = 0.5 if "var" in name or "weight" in name else -0.5
                value.uniform_(low, low + 1, generator=generator)


def _torchvision_maps(network: Any, images: Tensor) -> list[Tensor]:
    features = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    maps = []
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        features = layer(features)
        maps.append(features)
    return maps


@pytest.mark.parametrize("irregular", [False, True], ids=["mmdet's module", "our module"])
@pytest.mark.parametrize("kind", ["r18", "r50", "x50_32x4d"])
def test_a_resnet_computes_what_torchvision_s_does(kind: str, irregular: bool) -> None:
    torch.manual_seed(0)
    reference, backbone = {
        "r18": (torchvision.models.resnet18, resnet_backbone(18)),
        "r50": (torchvision.models.resnet50, resnet_backbone(50)),
        "x50_32x4d": (
            torchvision.models.resnext50_32x4d,
            resnet_backbone(50, groups=32, group_width=4),
        ),
    }[kind]
    network = reference().eval()
    _randomise(network)
    weights = {name: w for name, w in network.state_dict().items() if not name.startswith("fc.")}
    if irregular:
        spec = backbone.model_dump(mode="json")
        ours: nn.Module = ResidualBackbone(spec["stem_channels"], spec["stages"])
    else:
        ours = build_backbone(_two_stage(backbone))
        assert type(ours).__module__.startswith("mmdet.")
    ours.load_state_dict(weights, strict=True)
    ours.train(False)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for theirs, mine in zip(_torchvision_maps(network, images), ours(images), strict=True):
            assert torch.allclose(theirs, mine, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


def test_our_mobilenetv2_computes_what_mmdet_s_does() -> None:
    backbone = mobilenetv2_backbone()
    theirs: Any = build_backbone(_two_stage(backbone))
    assert type(theirs).__name__ == "MobileNetV2"
    _randomise(theirs)
    spec = backbone.model_dump(mode="json", exclude={"type"})
    ours = InvertedBackbone(**spec, out_stages=backbone.out_stages)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.train(False)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        maps = theirs(images)
        for one, other in zip(maps, ours.eval()(images), strict=True):
            assert torch.equal(one, other)
    assert [m.shape[1] for m in maps] == [24, 32, 96, 320] == list(backbone.out_channels)
    assert [64 // m.shape[2] for m in maps] == [4, 8, 16, 32]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_shuffle_layer_computes_what_torchvision_s_does(stride: int) -> None:
    """torchvision shuffles behind the layer, DetNAS takes every second channel: one order on."""
    torch.manual_seed(0)
    theirs = InvertedResidual(8 if stride == 2 else 16, 16, stride).eval()
    _randomise(theirs)
    block = {"operation": "shuffle", "kernel": 3, "channels": 16, "mid_channels": 8}
    ours = ShuffleLayer(8 if stride == 2 else 16, block | {"stride": stride}).eval()
    ours.load_state_dict(
        {
            name.replace("branch1", "beside").replace("branch2", "layers"): value
            for name, value in theirs.state_dict().items()
        },
        strict=True,
    )
    images = torch.randn(2, 8 if stride == 2 else 16, 9, 12)
    with torch.no_grad():
        given = channel_shuffle(images, 2) if stride == 1 else images
        mine = channel_shuffle(ours(given), 2)
        assert torch.allclose(theirs(images), mine, rtol=1e-5, atol=1e-5)


def test_the_cells_compute_what_mmdet_s_nas_fpn_does() -> None:
    """mmdet makes its further level behind the laterals: here it is given as a map of the backbone."""
    torch.manual_seed(0)
    widths = [4, 5, 6, 7, 7]
    theirs = NASFPN(widths, 8, 5, 2, norm_cfg={"type": "BN"})
    ours = OurNasFpn(widths[:4], 8, 1, 5, 2, [cell.model_dump() for cell in CELLS])
    _randomise(theirs)
    theirs.eval()
    ours.eval()
    weights: dict[str, Tensor] = {}
    for number, lateral in enumerate(theirs.lateral_convs):
        norm: Any = lateral.norm  # type: ignore[union-attr]
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        weights[f"laterals.{number}.weight"] = (
            lateral.conv.weight * scale[:, None, None, None]  # type: ignore[union-attr,operator]
        )
        weights[f"laterals.{number}.bias"] = norm.bias - norm.running_mean * scale
    for stack, stage in enumerate(theirs.fpn_stages):
        for number, cell in enumerate(stage.values()):  # type: ignore[operator]
            if cell.with_out_conv:
                for part, layer in ((1, cell.out_conv.conv), (2, cell.out_conv.bn)):
                    for name, value in layer.state_dict().items():
                        weights[f"stacks.{stack}.{number}.layers.{part}.{name}"] = value
    ours.load_state_dict(weights, strict=True)
    maps = [
        torch.randn(2, width, 32 // 2**level, 48 // 2**level)
        for level, width in enumerate(widths[:4])
    ]
    with torch.no_grad():
        pooled = torch.nn.functional.max_pool2d(maps[-1], 2)
        expected = theirs((*maps, pooled))
        for one, other in zip(expected, ours(maps), strict=True):
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_cells_resize_odd_maps_by_their_levels() -> None:
    cells = [
        {"operation": "sum", "inputs": [0, level], "level": level, "convolution": False}
        for level in range(5)
    ]
    neck = OurNasFpn([2, 2, 2, 2], 2, 1, 5, 1, cells)
    sizes = [(25, 38), (13, 19), (7, 10), (4, 5)]
    levels = neck([torch.zeros(1, 2, *size) for size in sizes])
    assert [tuple(level.shape[-2:]) for level in levels] == [*sizes, (2, 3)]


def _residual(operation: Any, *widths: tuple[int, int], groups: int = 1) -> ResNetBackbone:
    """One or two blocks a stage, of output and inner widths that no standard network has."""
    block = ResidualBlock(operation=operation, channels=1, mid_channels=1)
    return ResNetBackbone(
        stem_channels=5,
        stages=tuple(
            tuple(
                block.model_copy(
                    update={
                        "channels": channels,
                        "mid_channels": (middle + number) * groups,
                        "groups": groups,
                        "stride": 2 if stage and not number else 1,
                    }
                )
                for number in range(1 + stage % 2)
            )
            for stage, (channels, middle) in enumerate(widths)
        ),
    )


def _inverted() -> MobileNetV2Backbone:
    widths = (4, 6, 6, 10)
    return MobileNetV2Backbone(
        stem_channels=4,
        last_channels=7,
        stages=(
            (InvertedBlock(operation="depthwise", channels=4, mid_channels=4),),
            *(
                (
                    InvertedBlock(channels=width, mid_channels=9, stride=2),
                    InvertedBlock(channels=width, mid_channels=11),
                )
                for width in widths
            ),
        ),
    )


def _shuffle() -> ShuffleBackbone:
    first = ("shuffle", "xception", "shuffle", "xception")
    return ShuffleBackbone(
        stem=Stem(channels=5),
        last_channels=9,
        stages=tuple(
            (
                ShuffleBlock(operation=kind, kernel=5, channels=width, mid_channels=3, stride=2),  # type: ignore[arg-type]
                ShuffleBlock(operation=other, kernel=3, channels=width, mid_channels=7),  # type: ignore[arg-type]
            )
            for width, kind, other in zip((6, 8, 12, 14), first, first[::-1], strict=True)
        ),
    )


IRREGULAR = {
    "basic": _residual("basic", (6, 3), (9, 4), (9, 5), (12, 7)),
    "bottleneck": _residual("bottleneck", (6, 3), (9, 4), (9, 5), (12, 7)),
    "groups": _residual("bottleneck", (6, 3), (8, 2), (8, 3), (12, 2), groups=2),
    "inverted": _inverted(),
    "shuffle": _shuffle(),
    "small": resnet_backbone(18, base_channels=4),
}


def _batch() -> dict[str, list[Any]]:
    sample: Any = DetDataSample(
        metainfo={"img_shape": (64, 64), "ori_shape": (64, 64), "scale_factor": (1.0, 1.0)}
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[4.0, 6, 30, 34], [20, 24, 60, 62]]), labels=torch.tensor([0, 2])
    )
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, 64, 64), generator=generator, dtype=torch.uint8)
    return {"inputs": [image] * 2, "data_samples": [sample, sample]}


CELLS = zoo_architecture("nas_fpn_r50").neck.cells  # type: ignore[union-attr]


def _with_cells(backbone: Backbone) -> Architecture:
    return _two_stage(backbone, neck=NasFpnNeck(channels=8, stacks=2, cells=CELLS))


@pytest.mark.parametrize(
    "make", [_two_stage, _one_stage, _with_cells], ids=["two-stage", "one-stage", "cells"]
)
@pytest.mark.parametrize("kind", IRREGULAR)
def test_a_detector_of_any_backbone_trains(kind: str, make: Any) -> None:
    torch.manual_seed(0)
    architecture = make(IRREGULAR[kind])
    model: Any = build_detector(architecture, AROUND).train()
    loss, _ = detection_loss(model, _batch())
    loss.backward()
    for name, parameter in model.named_parameters():
        # MobileNetV2's last convolution serves classification only
        if not name.startswith("backbone.conv2."):
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    first = next(model.backbone.parameters())
    assert first.grad.any()
    maps = model.backbone(torch.zeros(2, 3, 64, 64))
    assert [m.shape[1] for m in maps] == list(architecture.backbone.out_channels)
    complexity = detector_complexity(architecture, proposals=20)
    assert complexity.total.params == sum(p.numel() for p in model.parameters())
    parts = {"backbone", "neck", "head"} | ({"rpn"} if architecture.rpn else set())
    assert complexity.components.keys() == parts


def test_irregular_blocks_begin_as_their_shortcut() -> None:
    """The last norm of each block starts at zero, as in mmdet's own ResNet."""
    backbone: Any = build_backbone(_two_stage(IRREGULAR["bottleneck"]))
    for layer in (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4):
        for block in layer:
            assert not block.bn3.weight.any() and block.bn2.weight.all()


def test_searched_and_standard_components_go_together() -> None:
    shape = SupernetConfig(
        input_size=(64, 64), stem_channels=4, channels=(6, 8, 8, 12), neck_channels=8
    )
    operations = {str(name): ("sep_k3_d1", "ir_k3_d1_e1") for name in COMPONENTS}
    supernet = supernet_architecture(shape, 3, (1, 1, 1, 1), operations)
    mixed = supernet.model_copy(update={"head": ConvFcHead(fcs=(16,)), "neck": FpnNeck(channels=8)})
    mixed = Architecture.model_validate(mixed.model_dump())
    assert mixed.blocks("neck") == mixed.blocks("head") == {} and mixed.is_supernet
    derived = mixed.with_operations(lambda *_: "sep_k3_d1")
    assert not derived.is_supernet and isinstance(derived.backbone, BlockBackbone)
    assert derived.neck == mixed.neck and derived.head == mixed.head
    build_detector(derived, AROUND)
