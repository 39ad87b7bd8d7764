"""A derived detector with its path's weights is the supernet restricted to that path."""

import copy
from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample
from telling_weights import randomise_norms
from torch import Tensor, nn

from pipeline.config.detector import TestingConfig as Selection
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import fill_candidate_macs
from pipeline.hit_detector.search import derive, search_scores
from pipeline.hit_detector.spaces import component_choices, supernet_architecture
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.choice import choice_layers, only_path
from pipeline.supernet.weights import path_weights

SHAPE = SupernetConfig(
    input_size=(64, 96),
    proposals=20,
    stem_channels=4,
    channels=(6, 8, 8, 12),
    neck_channels=8,
    rpn_channels=8,
    anchor_scale=4,
    head_blocks=2,
    head_fc_channels=16,
    roi_size=3,
)
OPERATIONS = {
    "backbone": ("ir_k3_d1_e3", "sep_k5_d2", "conv_k3_d1", "ir_k5_d1_e1"),
    "neck": ("conv_k3_d2", "sep_k3_d1", "ir_k3_d3_e1"),
    "head": ("sep_k3_d3", "ir_k7_d1_e1", "conv_k5_d1"),
}
AROUND = Surroundings(testing=Selection(proposals=20, score_threshold=0.0, detections=20))


def _randomise(model: nn.Module) -> None:
    """Weights away from their initial values, and batch statistics that no batch has."""
    randomise_norms(model)
    for name, parameter in model.named_parameters():
        if name.endswith("alpha"):
            parameter.data.normal_()
    # the initial deviations of mmdet's last layers would make all boxes and scores alike
    head: Any = model
    for layer in (head.rpn_head.rpn_cls, head.rpn_head.rpn_reg, head.roi_head.bbox_head.fc_cls):
        layer.weight.data.normal_(0, 0.3)


@pytest.fixture(scope="module")
def searched() -> tuple[Any, Architecture, dict[str, str]]:
    torch.manual_seed(0)
    architecture = supernet_architecture(SHAPE, 3, (2, 1, 2, 1), OPERATIONS)
    supernet = build_detector(architecture, AROUND)
    _randomise(supernet)
    fill_candidate_macs(supernet, architecture, SHAPE.proposals)
    # the highest α of each layer, read without the code that derives
    path = {
        name: layer.names[int(layer.alpha.argmax())]
        for name, layer in choice_layers(supernet).items()
    }
    assert len(path) == 6 + 8 + 2
    return supernet.eval(), architecture, path


@pytest.fixture(scope="module")
def derived(searched: tuple[Any, Architecture, dict[str, str]]) -> Any:
    supernet, architecture, path = searched
    network = derive(architecture, search_scores(component_choices(supernet)))
    assert not network.is_supernet
    model = build_detector(network, AROUND)
    model.load_state_dict(path_weights(supernet.state_dict(), path), strict=True)
    return model.eval()


def _close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_features_proposals_and_head_outputs_agree(searched: Any, derived: Any) -> None:
    supernet, _, path = searched
    images = torch.randn(2, 3, 64, 96)
    rois = torch.randn(9, 8, 3, 3)
    with only_path(supernet, path):
        maps, restricted = supernet.backbone(images), supernet.extract_feat(images)
        rpn, head = supernet.rpn_head(restricted), supernet.roi_head.bbox_head(rois)
    _close(derived.backbone(images), maps)
    features = derived.extract_feat(images)
    _close(features, restricted)
    _close(derived.rpn_head(features), rpn)
    _close(derived.roi_head.bbox_head(rois), head)
    # the whole sum is another network
    assert not torch.allclose(supernet.extract_feat(images)[0], restricted[0], atol=1e-2)


def _samples(count: int) -> list[DetDataSample]:
    shape = {"img_shape": (64, 96), "ori_shape": (64, 96), "scale_factor": (1.0, 1.0)}
    return [DetDataSample(metainfo=dict(shape, batch_input_shape=(64, 96))) for _ in range(count)]


@torch.no_grad()
def test_detections_agree(searched: Any, derived: Any) -> None:
    supernet, _, path = searched
    images = torch.randn(2, 3, 64, 96)
    ours = derived.predict(images, _samples(2))
    with only_path(supernet, path):
        theirs = supernet.predict(images, _samples(2))
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine.pred_instances) == len(other.pred_instances) > 5
        assert mine.pred_instances.scores.std() > 1e-3
        assert torch.equal(mine.pred_instances.labels, other.pred_instances.labels)
        _close(mine.pred_instances.scores, other.pred_instances.scores)
        torch.testing.assert_close(
            mine.pred_instances.bboxes, other.pred_instances.bboxes, rtol=1e-5, atol=1e-4
        )


def test_they_also_train_alike(searched: Any, derived: Any) -> None:
    """In training mode batch statistics count, and gradients flow to the same weights."""
    supernet, _, path = searched
    supernet, derived = copy.deepcopy(supernet).train(), copy.deepcopy(derived).train()
    images = torch.randn(2, 3, 64, 96)
    with only_path(supernet, path):
        _energy(supernet.extract_feat(images)).backward()
    _energy(derived.extract_feat(images)).backward()
    gradients = {n: p.grad for n, p in supernet.named_parameters() if p.grad is not None}
    expected = path_weights(gradients, path)
    actual = {n: p.grad for n, p in derived.named_parameters() if p.grad is not None}
    assert actual.keys() == expected.keys()
    for name, value in actual.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5, msg=name)
    _close(derived.state_dict(), path_weights(supernet.state_dict(), path))


def _energy(levels: tuple[Tensor, ...]) -> Tensor:
    return torch.stack([level.square().mean() for level in levels]).sum()
