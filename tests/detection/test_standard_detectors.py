"""Standard and irregular backbones against torchvision and mmdet; detectors made of them train."""

from typing import Any

import pytest
import torch
import torchvision
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from pipeline.config.detector import DetectorConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings, build_backbone, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.detection.inverted import InvertedBackbone
from pipeline.detection.loss import detection_loss
from pipeline.detection.residual import ResidualBackbone
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
    ResidualBlock,
    ResNetBackbone,
    RetinaHead,
    Rpn,
)
from pipeline.search_space.standard import mobilenetv2_backbone, resnet_backbone

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


IRREGULAR = {
    "basic": _residual("basic", (6, 3), (9, 4), (9, 5), (12, 7)),
    "bottleneck": _residual("bottleneck", (6, 3), (9, 4), (9, 5), (12, 7)),
    "groups": _residual("bottleneck", (6, 3), (8, 2), (8, 3), (12, 2), groups=2),
    "inverted": _inverted(),
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


@pytest.mark.parametrize("make", [_two_stage, _one_stage], ids=["two-stage", "one-stage"])
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
