"""The searched one-stage detector: towers shared by levels, and derived = supernet restricted to its path."""

import copy
from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from telling_weights import randomise_norms
from torch import Tensor

from pipeline.config.detector import TestingConfig as Selection
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings, build_detector, set_execution
from pipeline.detection.complexity import fill_candidate_macs
from pipeline.hit_detector.search import derive, search_scores
from pipeline.hit_detector.spaces import component_choices, supernet_architecture
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.choice import choice_layers, only_path
from pipeline.supernet.levels import LevelNorm, level_norms
from pipeline.supernet.weights import path_weights

SHAPE = SupernetConfig(
    family="retinanet",
    input_size=(128, 192),
    stem_channels=4,
    channels=(6, 8, 8, 12),
    neck_channels=8,
    anchor_scale=2,
    head_blocks=2,
)
OPERATIONS = {
    "backbone": ("ir_k3_d1_e3", "sep_k5_d2", "conv_k3_d1", "ir_k5_d1_e1"),
    "neck": ("conv_k3_d2", "sep_k3_d1", "ir_k3_d3_e1"),
    "head": ("sep_k3_d3", "ir_k7_d1_e1", "conv_k5_d1"),
}
AROUND = Surroundings(testing=Selection(proposals=20, score_threshold=0.0, detections=20))
SIDES = [(16, 24), (8, 12), (4, 6), (2, 3), (1, 2)]
"""Of the five levels, strides 8 to 128."""


def _randomise(model: Any) -> None:
    """Weights away from their initial values, and batch statistics that no batch has."""
    randomise_norms(model)
    for name, parameter in model.named_parameters():
        if name.endswith("alpha"):
            parameter.data.normal_()
    for layer in (model.bbox_head.retina_cls, model.bbox_head.retina_reg):
        layer.weight.data.normal_(0, 0.1)


@pytest.fixture(scope="module")
def searched() -> tuple[Any, Architecture, dict[str, str]]:
    torch.manual_seed(0)
    architecture = supernet_architecture(SHAPE, 3, (2, 1, 2, 1), OPERATIONS)
    supernet = build_detector(architecture, AROUND)
    _randomise(supernet)
    fill_candidate_macs(supernet, architecture, SHAPE.proposals)
    path = {
        name: layer.names[int(layer.alpha.argmax())]
        for name, layer in choice_layers(supernet).items()
    }
    assert len(path) == 6 + 6 + 2 * 2
    return supernet.eval(), architecture, path


@pytest.fixture(scope="module")
def derived(searched: tuple[Any, Architecture, dict[str, str]]) -> Any:
    supernet, architecture, path = searched
    network = derive(architecture, search_scores(component_choices(supernet)))
    assert not network.is_supernet
    towers = [
        network.blocks("head")[f"{tower}1"].operation for tower in ("class_tower", "box_tower")
    ]
    assert towers == [path[f"bbox_head.{tower}.0"] for tower in ("class_tower", "box_tower")]
    model = build_detector(network, AROUND)
    model.load_state_dict(path_weights(supernet.state_dict(), path), strict=True)
    return model.eval()


def _close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_outputs_agree_on_every_level(searched: Any, derived: Any) -> None:
    supernet, _, path = searched
    images = torch.randn(2, 3, 128, 192)
    with only_path(supernet, path):
        expected = supernet(images)
    actual = derived(images)
    _close(actual, expected)
    scores, boxes = actual
    # three sizes and three ratios of anchors a place; three classes, four numbers of a box
    assert [tuple(level.shape) for level in scores] == [(2, 27, *side) for side in SIDES]
    assert [tuple(level.shape) for level in boxes] == [(2, 36, *side) for side in SIDES]
    # the whole sum is another network
    assert not torch.allclose(supernet(images)[0][0], expected[0][0], atol=1e-2)


def _samples(count: int) -> list[DetDataSample]:
    names = ("img_shape", "ori_shape", "pad_shape", "batch_input_shape")
    shape = dict.fromkeys(names, (128, 192)) | {"scale_factor": (1.0, 1.0)}
    samples = [DetDataSample(metainfo=shape)] * count
    for number, sample in enumerate(samples):
        boxes = torch.tensor([[10.0, 20, 50, 70], [60, 10, 150, 100]]) + number
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 2]))
    return samples


@torch.no_grad()
def test_detections_agree(searched: Any, derived: Any) -> None:
    supernet, _, path = searched
    images = torch.randn(2, 3, 128, 192)
    ours = derived.predict(images, copy.deepcopy(_samples(2)))
    with only_path(supernet, path):
        theirs = supernet.predict(images, copy.deepcopy(_samples(2)))
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine.pred_instances) == len(other.pred_instances) > 5
        assert mine.pred_instances.scores.std() > 1e-3
        assert torch.equal(mine.pred_instances.labels, other.pred_instances.labels)
        _close(mine.pred_instances.scores, other.pred_instances.scores)
        torch.testing.assert_close(
            mine.pred_instances.bboxes, other.pred_instances.bboxes, rtol=1e-5, atol=1e-4
        )


def _loss(model: Any, images: Tensor) -> Tensor:
    return model.parse_losses(model.loss(images, _samples(len(images))))[0]


def test_they_also_train_alike(searched: Any, derived: Any) -> None:
    """The loss, its gradients, and the statistics of each level."""
    supernet, _, path = searched
    supernet, derived = copy.deepcopy(supernet).train(), copy.deepcopy(derived).train()
    images = torch.randn(2, 3, 128, 192)
    with only_path(supernet, path):
        expected_loss = _loss(supernet, images)
        expected_loss.backward()
    loss = _loss(derived, images)
    loss.backward()
    _close(loss, expected_loss)
    gradients = {n: p.grad for n, p in supernet.named_parameters() if p.grad is not None}
    expected = path_weights(gradients, path)
    actual = {n: p.grad for n, p in derived.named_parameters() if p.grad is not None}
    assert actual.keys() == expected.keys() == dict(derived.named_parameters()).keys()
    for name, value in actual.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5, msg=name)
    _close(derived.state_dict(), path_weights(supernet.state_dict(), path))


def _head(operation: Any) -> Any:
    architecture = supernet_architecture(
        SHAPE, 3, (1, 1, 1, 1), {"backbone": "conv_k3_d1", "neck": "conv_k3_d1", "head": operation}
    )
    torch.manual_seed(1)
    return build_detector(architecture, AROUND).bbox_head.train()  # type: ignore[union-attr]


def _pyramid() -> list[Tensor]:
    """Features whose scale differs from level to level."""
    torch.manual_seed(2)
    return [torch.randn(2, 8, *side) * 2**number for number, side in enumerate(SIDES)]


def test_levels_share_the_weights_and_have_their_own_statistics() -> None:
    head, levels = _head("conv_k3_d1"), _pyramid()
    head(levels)
    block = head.class_tower[0]
    assert len(level_norms(block)) == 1
    for norm, level in zip(block.bn.levels, levels, strict=True):
        features = torch.nn.functional.conv2d(level, block.conv.weight, padding=1)
        # a first batch counts for a tenth
        _close(norm.running_mean, 0.1 * features.mean((0, 2, 3)))
        _close(norm.running_var, 0.9 + 0.1 * features.var((0, 2, 3)))
        assert norm.num_batches_tracked == 1


def test_a_step_takes_the_same_paths_on_every_level() -> None:
    head = _head(("conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1", "conv_k5_d1"))
    set_execution(head, "store", 1)
    for _ in range(3):
        head(_pyramid())
    for layer in choice_layers(head).values():
        counts = []
        for candidate in layer.candidates.values():
            runs = [
                [int(n.get_buffer("num_batches_tracked")) for n in norm.levels]
                for norm in level_norms(candidate)
            ]
            assert all(run == [run[0]] * len(SIDES) for run in runs)
            counts.append(runs[0][0])
        assert sum(counts) == 3


@pytest.mark.parametrize("paths", [None, 2])
def test_recomputation_goes_back_to_the_level_it_came_from(paths: int | None) -> None:
    stored = _head(("conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e3"))
    recomputed = copy.deepcopy(stored)
    results = []
    for head, execution in ((stored, "store"), (recomputed, "recompute")):
        set_execution(head, execution, paths)  # type: ignore[arg-type]
        torch.manual_seed(3)
        scores, boxes = head(_pyramid())
        torch.stack([level.square().mean() for level in (*scores, *boxes)]).sum().backward()
        results.append({name: p.grad for name, p in head.named_parameters() if p.grad is not None})
    assert results[0].keys() == results[1].keys()
    for name, expected in results[0].items():
        torch.testing.assert_close(results[1][name], expected, rtol=1e-5, atol=1e-6, msg=name)
    for name, expected in stored.state_dict().items():
        torch.testing.assert_close(recomputed.state_dict()[name], expected, msg=name)
    assert any(isinstance(module, LevelNorm) for module in recomputed.modules())
