"""The elastic detector as a subnet is that subnet standing alone; what is stored never moves."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from small_pool import (
    AROUND,
    elastic_detector,
    embedded_images,
    image_batches,
    pool_space,
)
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from pipeline.artifacts.digest import bytes_digest
from pipeline.detection.builder import build_detector
from pipeline.detection.loss import detection_loss
from pipeline.detection.recalibration import recalibrate
from pipeline.errors import DetSearchError
from pipeline.search_space.coupling import coupled_channels
from pipeline.search_space.slicing import importance
from pipeline.teacher_pool.detector import (
    ElasticDetector,
    StandaloneDetector,
    subnet_complexity,
)
from pipeline.teacher_pool.space import Subnet, SubnetSpace

BLOCKS = ("basic", "bottleneck")
MIXED = Subnet(
    depths=(2, 1, 2, 2), widths=(1.25, 1.0, 1.5, 1.25), neck_width=1.25, resolution=(64, 64)
)


@pytest.fixture(scope="module", params=BLOCKS)
def elastic(request: Any) -> ElasticDetector:
    return elastic_detector(request.param)


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[Any]]]:
    return image_batches(embedded_images(tmp_path_factory.mktemp("embedded") / "data", 6), 2)


def _alone(detector: StandaloneDetector) -> Any:
    model = build_detector(detector.architecture, AROUND)
    model.load_state_dict(detector.weights, strict=True)
    return model.eval()


def _outputs(model: Any, images: torch.Tensor) -> list[torch.Tensor]:
    """Maps of backbone and neck (9), RPN outputs (10), and the head's (2) on a pooled map as features."""
    maps = model.backbone(images)
    levels = model.neck(maps)
    scores, boxes = model.rpn_head(levels)
    rois = functional.adaptive_avg_pool2d(levels[0], 3)
    return [*maps, *levels, *scores, *boxes, *model.roi_head.bbox_head(rois)]


def _digest(model: nn.Module) -> str:
    state = model.state_dict()
    return bytes_digest(b"".join(name.encode() + state[name].numpy().tobytes() for name in state))


def _agree(ours: Any, theirs: Any, batch: dict[str, list[Any]]) -> None:
    """Outputs of every component, and final detections, within 1e-6."""
    images = ours.data_preprocessor(batch, False)["inputs"]
    for mine, other in zip(_outputs(ours, images), _outputs(theirs, images), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)
    first, second = (model.test_step(copy.deepcopy(batch)) for model in (ours, theirs))
    for mine, other in zip(first, second, strict=True):
        mine, other = mine.pred_instances, other.pred_instances
        assert len(mine) == len(other) > 5 and mine.scores.std() > 1e-3
        assert torch.equal(mine.labels, other.labels)
        torch.testing.assert_close(mine.scores, other.scores, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(mine.bboxes, other.bboxes, rtol=1e-6, atol=1e-4)


@torch.no_grad()
def test_a_subnet_alone_gives_the_outputs_of_the_elastic_net(
    elastic: ElasticDetector, batches: Any
) -> None:
    rng = np.random.default_rng(0)
    drawn = [elastic.space.sample(rng) for _ in range(4)]
    for subnet in (elastic.space.smallest, elastic.space.largest, MIXED, *drawn):
        elastic.set_active_subnet(subnet)
        alone = elastic.get_active_subnet()
        assert Subnet.model_validate(alone.architecture.provenance["subnet"]) == subnet
        _agree(_alone(alone), elastic.model, batches[0])


@pytest.mark.parametrize("which", ["smallest", "mixed"])
def test_a_pool_grown_from_a_detector_computes_what_that_does(
    elastic: ElasticDetector, batches: Any, which: str
) -> None:
    """And the new channels and blocks are not dead: the first step moves what reads them."""
    smaller = elastic.space.smallest if which == "smallest" else MIXED
    elastic.set_active_subnet(smaller)
    alone = elastic.get_active_subnet()
    grown = ElasticDetector(elastic.space, AROUND)
    grown.grow_from(alone.architecture, alone.weights)
    first, second = (
        model.eval().test_step(copy.deepcopy(batches[0]))[0].pred_instances
        for model in (_alone(alone), grown.model)
    )
    assert len(first) > 5 and torch.equal(first.labels, second.labels)
    torch.testing.assert_close(first.scores, second.scores, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(first.bboxes, second.bboxes, rtol=1e-5, atol=1e-3)

    grown.set_active_subnet(smaller)
    again = grown.get_active_subnet().weights
    assert all(torch.equal(again[name], value) for name, value in alone.weights.items())

    grown.set_max_net()
    grown.model.train()
    images = grown.model.data_preprocessor(copy.deepcopy(batches[0]), False)["inputs"]
    scores, _ = grown.model.rpn_head(grown.model.neck(grown.model.backbone(images)))
    torch.stack([level.square().mean() for level in scores]).sum().backward()
    reads = grown.model.neck.lateral_convs[3].conv.weight
    rows, columns = alone.weights["neck.lateral_convs.3.conv.weight"].shape[:2]
    assert not reads[:rows, columns:].any() and reads.grad[:rows, columns:].any()
    if which == "smallest":
        last = [
            norm
            for norm in grown.model.backbone.layer3[2].children()
            if isinstance(norm, nn.BatchNorm2d)
        ][-1]
        assert not last.weight.any() and last.weight.grad is not None and last.weight.grad.any()


def test_a_pool_is_not_grown_from_a_detector_outside_it(elastic: ElasticDetector) -> None:
    largest = elastic.space.architecture(elastic.space.largest)
    other_head = largest.model_copy(
        update={"head": largest.head.model_copy(update={"fcs": (8, 8)})}
    )
    with pytest.raises(DetSearchError, match="its head must be"):
        elastic.grow_from(other_head, {})
    smaller = pool_space(elastic.space.shape.block)
    if elastic.space.shape.block == "basic":
        backbone = largest.backbone.model_copy(update={"stem_channels": 4})
        shortcut = largest.model_copy(update={"backbone": backbone})
        weights = build_detector(shortcut, AROUND).state_dict()
        with pytest.raises(DetSearchError, match=r"stage1\.block1 of the smaller"):
            ElasticDetector(elastic.space, AROUND).grow_from(shortcut, weights)
    narrow = smaller.shape.model_copy(update={"widths": (1.0, 1.25)})
    with pytest.raises(DetSearchError, match="channels of the stem: it has 6, the largest net 5"):
        ElasticDetector(SubnetSpace.whole(narrow, 10), AROUND).grow_from(largest, {})


@torch.no_grad()
def test_so_it_does_with_recalibrated_statistics(elastic: ElasticDetector, batches: Any) -> None:
    """Both sides measure their statistics anew, on real images."""
    rng = np.random.default_rng(1)
    for subnet in (elastic.space.smallest, MIXED, elastic.space.sample(rng)):
        fresh = copy.deepcopy(elastic)
        fresh.set_active_subnet(subnet)
        alone = _alone(fresh.get_active_subnet())
        before = alone.backbone.bn1.running_var.clone()
        for model in (alone, fresh.model):
            recalibrate(model, copy.deepcopy(batches), 5)
        assert not torch.allclose(alone.backbone.bn1.running_var, before)
        _agree(alone, fresh.model, batches[2])


@torch.no_grad()
def test_the_largest_subnet_is_the_net_untouched(elastic: ElasticDetector, batches: Any) -> None:
    ordinary: Any = build_detector(elastic.architecture, AROUND).eval()
    ordinary.load_state_dict(elastic.model.state_dict(), strict=True)
    elastic.set_active_subnet(MIXED)
    elastic.set_max_net()
    images = ordinary.data_preprocessor(batches[0], False)["inputs"]
    outputs = zip(_outputs(ordinary, images), _outputs(elastic.model, images), strict=True)
    assert all(torch.equal(mine, other) for mine, other in outputs)
    alone = elastic.get_active_subnet()
    assert alone.architecture == elastic.architecture
    state = elastic.model.state_dict()
    assert alone.weights.keys() == state.keys()
    for name, value in alone.weights.items():
        assert torch.equal(value, state[name])
        assert value.data_ptr() != state[name].data_ptr() or not value.numel()


@torch.no_grad()
def test_changing_the_active_subnet_changes_nothing_stored(
    elastic: ElasticDetector, batches: Any
) -> None:
    before = _digest(elastic.model)
    rng = np.random.default_rng(2)
    for _ in range(5):
        assert elastic.sample_active_subnet(rng) == elastic.active
        for value in elastic.get_active_subnet().weights.values():
            value.zero_()
        elastic.model.test_step(copy.deepcopy(batches[0]))
    elastic.set_max_net()
    assert _digest(elastic.model) == before
    with pytest.raises(ValueError, match=r"depth3 is 9, allowed: 1, 2, 3"):
        elastic.set_active_subnet(MIXED.model_copy(update={"depths": (1, 1, 9, 1)}))
    assert elastic.active == elastic.space.largest


def test_a_step_of_a_subnet_trains_its_part_of_the_shared_weights(
    elastic: ElasticDetector,
) -> None:
    """Gradients and batch statistics are those of the subnet alone, and none elsewhere."""
    shared = copy.deepcopy(elastic)
    shared.set_active_subnet(MIXED)
    alone = _alone(shared.get_active_subnet())
    before = shared.get_active_subnet().weights
    stored = {name: value.clone() for name, value in shared.model.state_dict().items()}
    batch = _truth_batch()
    for model in (alone, shared.model):
        torch.manual_seed(3)
        loss, _ = detection_loss(model.train(), copy.deepcopy(batch))
        loss.backward()
    gradients = {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in shared.model.named_parameters()
    }
    expected = {name: parameter.grad for name, parameter in alone.named_parameters()}
    assert any(gradient.any() for gradient in expected.values())
    for name, gradient in gradients.items():
        if name not in expected:
            assert not gradient.any(), name
            continue
        inside = tuple(slice(0, length) for length in expected[name].shape)
        torch.testing.assert_close(gradient[inside], expected[name], rtol=1e-5, atol=1e-6)
        outside = gradient.clone()
        outside[inside] = 0
        assert not outside.any(), name
    state = alone.state_dict()
    for name, value in shared.get_active_subnet().weights.items():
        torch.testing.assert_close(value, state[name], rtol=1e-6, atol=1e-6)
    moved = [name for name in before if not torch.equal(before[name], state[name])]
    assert moved and all("running" in name or "num_batches" in name for name in moved)
    for name, value in shared.model.state_dict().items():
        if "running" in name and name in state:
            unused = slice(state[name].shape[0], None)
            assert torch.equal(value[unused], stored[name][unused])


def _truth_batch() -> dict[str, list[Any]]:
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    sample: Any = DetDataSample(
        metainfo={"img_shape": (64, 64), "ori_shape": (64, 64), "scale_factor": (1.0, 1.0)}
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[4.0, 6, 30, 34], [20, 24, 60, 62]]), labels=torch.tensor([0, 2])
    )
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, 64, 64), generator=generator, dtype=torch.uint8)
    return {"inputs": [image] * 2, "data_samples": [sample, copy.deepcopy(sample)]}


@torch.no_grad()
def test_sorting_channels_keeps_the_largest_net_and_orders_every_group(
    elastic: ElasticDetector,
) -> None:
    ordered = copy.deepcopy(elastic)
    ordered.set_max_net()
    ordered.model.double()
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    before = _outputs(ordered.model, images)
    ordered.sort_channels()
    after = _outputs(ordered.model, images)
    for old, new in zip(before[:9], after[:9], strict=True):
        assert not torch.allclose(old, new)  # the channels moved
        torch.testing.assert_close(old.sum(1), new.sum(1), atol=1e-6, rtol=0)
    for old, new in zip(before[9:], after[9:], strict=True):
        torch.testing.assert_close(old, new, atol=1e-6, rtol=0)
    groups = coupled_channels(ordered.architecture)
    assert len(groups) >= 15
    for group in groups.values():
        values = importance(ordered.model.state_dict(), group)
        assert (values.diff() <= 0).all() and values[0] > values[-1]


def test_the_cost_of_a_subnet_is_what_the_elastic_net_runs(elastic: ElasticDetector) -> None:
    """torch's own counter, which counts two operations for each multiply-accumulate, sees what runs."""
    elastic.set_active_subnet(MIXED)
    backbone: Any = elastic.model.get_submodule("backbone")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        maps = backbone(torch.zeros(1, 3, 64, 64))
    cost = subnet_complexity(elastic.space, MIXED, proposals=20)
    assert cost.components["backbone"].macs == counter.get_total_flops() / 2
    widths = elastic.space.architecture(MIXED).backbone.out_channels
    assert [m.shape[1] for m in maps] == list(widths)
    smallest, largest = (
        subnet_complexity(elastic.space, subnet, proposals=20).total
        for subnet in (elastic.space.smallest, elastic.space.largest)
    )
    assert smallest.macs < cost.total.macs < largest.macs
    assert largest.params == sum(p.numel() for p in elastic.model.parameters())


def test_a_phase_draws_from_its_part_of_the_space(elastic: ElasticDetector) -> None:
    part = SubnetSpace(
        elastic.space.shape,
        elastic.space.classes,
        {**elastic.space.choices, "depth3": (3,), "width1": (1.5,)},
    )
    for seed in range(5):
        subnet = elastic.sample_active_subnet(np.random.default_rng(seed), part)
        assert subnet in part and subnet.depths[2] == 3 and subnet.widths[0] == 1.5
    assert pool_space("basic").smallest not in part
