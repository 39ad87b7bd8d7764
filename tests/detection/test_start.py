"""Backbones that start from given weights: torchvision's networks are ours, and what is frozen stays."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from pipeline.artifacts.given_weights import read_checkpoint
from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.pretrained import Freezing
from pipeline.config.teacher_pool import PoolSpace
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.start import start_backbone
from pipeline.supernet.weights import WeightsMismatchError
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.scaling import scaled

AROUND = Surroundings()
IMAGES = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def theirs() -> Any:
    """torchvision's ResNet-18, none of whose tensors is at its initial value."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, 0, 0.1)
            nn.init.normal_(layer.running_mean, 0, 0.1)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return model.eval()


def _import(folder: Path, content: Any, name: str = "given.pth") -> Path:
    """The folder that the import of such a checkpoint publishes."""
    torch.save(content, folder / name)
    save_weights(folder / WEIGHTS, read_checkpoint(folder / name), {"file": str(folder / name)})
    return folder


@torch.no_grad()
def _maps(resnet: Any) -> list[Tensor]:
    maps = []
    features = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(IMAGES))))
    for number in range(1, 5):
        features = resnet.get_submodule(f"layer{number}")(features)
        maps.append(features)
    return maps


def _zoo(name: str, width: float) -> Any:
    """A network of the zoo with a small head."""
    sizes: Any = {"head_width": 0.0625, "classes": 3, "input_size": (64, 64)}
    return build_detector(scaled(zoo_architecture(name), width=width, **sizes), AROUND)


def _pool() -> ElasticDetector:
    """A pool whose largest net has the backbone of ResNet-18."""
    shape = PoolSpace(
        block="basic",
        neck_channels=16,
        rpn_channels=16,
        head_fc_channels=16,
        least_depths=(1, 1, 1, 1),
        greatest_depths=(2, 2, 2, 2),
        widths=(0.5, 1.0),
    )
    return ElasticDetector(SubnetSpace.whole(shape, classes=3), AROUND)


@pytest.mark.parametrize(
    ("network", "kind"),
    [("zoo", "torchvision"), ("zoo", "mmdet"), ("zoo", "old"), ("pool", "torchvision")],
)
def test_features_are_torchvision_s(tmp_path: Path, theirs: Any, network: str, kind: str) -> None:
    weights = theirs.state_dict()
    assert "fc.weight" in weights
    content: Any = weights
    if kind == "mmdet":
        own = {f"backbone.{name}": value for name, value in weights.items() if "fc." not in name}
        content = {"meta": {"epoch": 12}, "state_dict": {**own, "neck.a.weight": torch.ones(2)}}
    if kind == "old":
        content = {name: v for name, v in weights.items() if "num_batches_tracked" not in name}
    folder = _import(tmp_path, content)
    model: Any = _zoo("fpn_r18", 1.0) if network == "zoo" else _pool().model
    start_backbone(model, folder, None)
    with torch.no_grad():
        ours = model.eval().backbone(IMAGES)
    for one, other in zip(ours, _maps(theirs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * float(other.abs().max()))


def test_a_network_of_another_width_is_told(tmp_path: Path, theirs: Any) -> None:
    folder = _import(tmp_path, theirs.state_dict())
    with pytest.raises(WeightsMismatchError) as error:
        start_backbone(_zoo("fpn_r18", 0.5), folder, None)
    message = str(error.value)
    assert f"{tmp_path}/given.pth does not fit the network" in message
    assert "bn1.bias (64,), not (32,)" in message and "width 1" in message
    with pytest.raises(WeightsMismatchError, match=r"missing \(\d+\): layer1.0.bn3.bias"):
        start_backbone(_zoo("fpn_r50_2fc", 1.0), folder, None)


def _train_a_step(model: Any) -> dict[str, bool]:
    """By tensor of the backbone, whether a step of training changed it."""
    backbone = model.backbone
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    # with weight decay, which must not pull at what is frozen
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    model.train()
    model.eval()
    model.train()
    torch.stack([level.square().mean() for level in backbone(IMAGES)]).sum().backward()
    optimizer.step()
    return {name: not torch.equal(v, before[name]) for name, v in backbone.state_dict().items()}


@pytest.mark.parametrize(
    ("network", "frozen", "norm_eval"),
    [
        ("zoo", -1, False),
        ("zoo", -1, True),
        ("zoo", 0, False),
        ("zoo", 2, True),
        ("pool", 1, False),
        ("pool", 1, True),
    ],
)
def test_what_is_frozen_stays_as_in_mmdet(
    tmp_path: Path, theirs: Any, network: str, frozen: int, norm_eval: bool
) -> None:
    folder = _import(tmp_path, theirs.state_dict())
    model: Any = _zoo("fpn_r18", 1.0) if network == "zoo" else _pool().model
    start_backbone(model, folder, Freezing(frozen_stages=frozen, norm_eval=norm_eval))

    from mmdet.models import ResNet

    reference = nn.Module()
    reference.backbone = ResNet(18, frozen_stages=frozen, norm_eval=norm_eval)
    reference.backbone.load_state_dict(model.backbone.state_dict())
    changed, expected = _train_a_step(model), _train_a_step(reference)
    assert changed == expected
    assert any(changed.values())
    for name, value in reference.backbone.state_dict().items():
        torch.testing.assert_close(model.backbone.state_dict()[name], value, msg=name)
