"""Teacher and student of any widths and heads: one forward pass each, the right values and gradients."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from distillation_pairs import AROUND, STUDENT, TEACHERS, architecture, batch, detector
from torch import Tensor, nn
from torch.nn import functional

from pipeline.config.distillation import DistillationConfig
from pipeline.detection.builder import build_detector
from pipeline.distillation.detectors import observe, pool_all_levels, student_pass
from pipeline.distillation.distiller import Adaptation, Distiller
from pipeline.distillation.losses import DistillationError
from pipeline.search_space.architecture import Architecture, FpnNeck, RetinaHead

KD = ("loss_kd_features", "loss_kd_classes", "loss_kd_boxes")
PLAIN = DistillationConfig()


def _prepared(model: Any, **options: Any) -> tuple[Tensor, list[Any]]:
    data = model.data_preprocessor(batch(**options), True)
    return data["inputs"], data["data_samples"]


def _losses(student: Any, teacher: Any, **options: Any) -> tuple[dict[str, Any], Distiller]:
    distiller = Distiller(student, teacher, PLAIN)
    images, samples = _prepared(student, **options)
    torch.manual_seed(1)
    return distiller(student, images, samples, observe(teacher, images)), distiller


def _count(module: nn.Module) -> list[None]:
    """Grows by one with every forward pass of a module."""
    calls: list[None] = []
    module.register_forward_hook(lambda *_: calls.append(None))
    return calls


CASCADE = STUDENT.model_copy(
    update={"head": STUDENT.head.model_copy(update={"cascade": (0.5, 0.6, 0.7)})}
)


@pytest.mark.parametrize("network", [STUDENT, CASCADE], ids=["one head", "cascade"])
def test_detection_losses_are_those_of_mmdet_bit_for_bit(network: Architecture) -> None:
    student = detector(network)
    images, samples = _prepared(student)
    state = copy.deepcopy(student.state_dict())
    torch.manual_seed(1)
    theirs = student.loss(images, samples)
    student.load_state_dict(state)
    torch.manual_seed(1)
    ours = student_pass(student, images, samples).losses
    assert ours.keys() == theirs.keys()
    assert student.parse_losses(ours)[1] == student.parse_losses(theirs)[1]


def test_everything_runs_once_and_a_teacher_s_features_serve_several_students() -> None:
    teacher = detector(TEACHERS["wider"], seed=5)
    counted = {"teacher": _count(teacher.backbone), "its neck": _count(teacher.neck)}
    images, samples = _prepared(teacher)
    view = observe(teacher, images)
    for seed in (0, 1):
        student = detector(STUDENT, seed)
        parts = (student.backbone, student.neck, student.rpn_head, student.roi_head.bbox_head)
        for number, module in enumerate(parts):
            counted[f"student {seed}, {number}"] = _count(module)
        losses = Distiller(student, teacher, PLAIN)(student, images, samples, view)
        assert all(losses[name] > 0 for name in KD)
    assert {name: len(calls) for name, calls in counted.items()} == dict.fromkeys(counted, 1)


def test_imitation_is_a_further_term_where_it_has_a_weight() -> None:
    student, teacher = detector(STUDENT), detector(TEACHERS["wider"], seed=5)
    images, samples = _prepared(student)
    found = {}
    for weight in (0.0, 0.01, 0.02):
        distiller = Distiller(student, teacher, DistillationConfig(imitation=weight))
        torch.manual_seed(1)
        found[weight] = distiller(student, images, samples, observe(teacher, images))
    assert "loss_kd_imitation" not in found[0.0]
    once, twice = (found[weight]["loss_kd_imitation"] for weight in (0.01, 0.02))
    assert once > 0 and twice.item() == pytest.approx(2 * once.item())
    assert {name: found[0.0][name] for name in KD} == {name: found[0.01][name] for name in KD}


@pytest.mark.parametrize("objects", [True, False], ids=["objects", "no objects"])
@pytest.mark.parametrize("kind", TEACHERS)
def test_gradients_reach_the_student_and_the_adaptation_only(kind: str, objects: bool) -> None:
    student, teacher = detector(STUDENT), detector(TEACHERS[kind], seed=5)
    before = copy.deepcopy(teacher.state_dict())
    losses, distiller = _losses(student, teacher, objects=objects)
    # without objects, no proposal is positive
    assert (losses["loss_kd_features"] > 0) == objects
    assert losses["loss_kd_classes"] > 0 and losses["loss_kd_boxes"] > 0
    student.parse_losses(losses)[0].backward()
    for name, parameter in (*student.named_parameters(), *distiller.named_parameters()):
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any() == objects or not name.startswith("adaptation"), name
    assert not teacher.training
    assert all(parameter.grad is None for parameter in teacher.parameters())
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), name
    # what is trained beside the student is no part of it, nor is a detector part of the distiller
    assert student.state_dict().keys() == detector(STUDENT).state_dict().keys()
    assert {name.split(".")[0] for name in distiller.state_dict()} == {"adaptation"}


def test_each_distillation_term_teaches_what_it_compares() -> None:
    """Its gradient alone, without that of the detection losses; none of them judges the RPN."""
    head = "roi_head.bbox_head"
    expected = {
        "loss_kd_features": {"backbone", "neck", "adaptation"},
        "loss_kd_classes": {"backbone", "neck", f"{head}.shared_fcs", f"{head}.fc_cls"},
        "loss_kd_boxes": {"backbone", "neck", f"{head}.shared_fcs", f"{head}.fc_reg"},
    }
    parts = set().union(*expected.values()) | {"rpn_head"}
    for term, reached in expected.items():
        student, teacher = detector(STUDENT), detector(TEACHERS["wider"], seed=5)
        losses, distiller = _losses(student, teacher)
        losses[term].backward()
        moved = {
            name
            for name, parameter in (*student.named_parameters(), *distiller.named_parameters())
            if parameter.grad is not None and parameter.grad.any()
        }
        assert {part for part in parts if any(name.startswith(part) for name in moved)} == reached


def test_of_a_cascade_the_first_stage_learns_from_the_teacher() -> None:
    student = detector(CASCADE)
    losses, _ = _losses(student, detector(TEACHERS["wider"], seed=5))
    assert {"s0.loss_cls", "s1.loss_cls", "s2.loss_bbox"} <= losses.keys()
    torch.stack([losses[name] for name in KD]).sum().backward()
    first, second, _ = student.roi_head.bbox_head
    assert first.fc_cls.weight.grad.abs().sum() > 0
    assert second.fc_cls.weight.grad is None
    with pytest.raises(DistillationError, match="the teacher, a CascadeRCNN, has no RoI head"):
        Distiller(detector(STUDENT), student, PLAIN)


def test_a_student_that_is_its_teacher_has_nothing_to_learn() -> None:
    # both use the same batch statistics
    teacher = detector(STUDENT)
    student = copy.deepcopy(teacher).eval()
    losses, distiller = _losses(student, teacher)
    assert [losses[name].item() for name in KD] == pytest.approx([0, 0, 0], abs=1e-5)
    torch.stack([losses[name] for name in KD]).sum().backward()
    for name, parameter in (*student.named_parameters(), *distiller.named_parameters()):
        assert parameter.grad is None or parameter.grad.abs().max() < 1e-4, name


def test_weights_scale_their_terms() -> None:
    student, teacher = detector(STUDENT).eval(), detector(TEACHERS["wider"], seed=5)
    images, samples = _prepared(student)
    view = observe(teacher, images)
    weighted = DistillationConfig(features=0.5, classes=3, boxes=0)
    found = []
    for settings in (PLAIN, weighted):
        torch.manual_seed(1)
        losses = Distiller(student, teacher, settings)(student, images, samples, view)
        found.append([losses[name].item() for name in KD])
    scale = [0.5, 3, 0]
    assert found[1] == pytest.approx([a * b for a, b in zip(found[0], scale, strict=True)])


def test_the_terms_compare_student_and_teacher_at_the_student_s_proposals() -> None:
    """Against the equations written out, proposal by proposal."""
    student, teacher = detector(STUDENT).eval(), detector(TEACHERS["wider"], seed=5)
    losses, distiller = _losses(student, teacher)
    images, samples = _prepared(student)
    torch.manual_seed(1)
    with torch.no_grad():
        seen = student_pass(student, images, samples)
    view = observe(teacher, images)
    logits, boxes = view.heads(seen.rois)
    proposals = len(seen.rois)
    assert 0 < len(seen.positives) < proposals
    classes = regression = 0.0
    for number in range(proposals):
        target, mine = logits[number].softmax(0), seen.logits[number].log_softmax(0)
        classes += float((target * (target.log() - mine)).sum())
        gap = (boxes[number] - seen.boxes[number]).reshape(3, 4)
        summed = sum((target[label] * gap[label] for label in range(3)), torch.zeros(4))
        regression += float(summed.abs().sum())
    features = 0.0
    convolution = distiller.adaptation.convolution
    for mine, theirs, stride in zip(seen.maps, view.maps, (4, 8, 16, 32, 64), strict=True):
        # a 1×1 convolution and RoIAlign are linear: adapting the whole map first gives the same
        adapted = convolution(mine).detach()
        for roi in seen.positives[:, None]:
            pair = [pool_all_levels([level], roi, [stride], 3)[0] for level in (adapted, theirs)]
            features += float((pair[0] - pair[1]).square().sum()) / (len(seen.positives) * 9)
    expected = (features, classes / proposals, regression / proposals)
    for name, value in zip(KD, expected, strict=True):
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name


def test_every_proposal_is_pooled_on_every_level_where_it_lies() -> None:
    """On maps that hold their own coordinates, RoIAlign gives those of the bins' centres."""
    maps = []
    for stride in (4, 8):
        side = 128 // stride
        rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        maps.append(torch.stack([columns, rows])[None].float())
    rois = torch.tensor([[0.0, 20, 24, 60, 96], [0, 16, 32, 112, 64]])
    for level, stride in zip(pool_all_levels(maps, rois, [4, 8], 4), (4, 8), strict=True):
        assert level.shape == (2, 2, 4, 4)
        for features, (_, left, top, right, bottom) in zip(level, rois.tolist(), strict=True):
            bins = torch.arange(4) + 0.5
            across = (left + bins * (right - left) / 4) / stride - 0.5
            down = (top + bins * (bottom - top) / 4) / stride - 0.5
            assert torch.allclose(features[0], across.expand(4, 4), atol=1e-4)
            assert torch.allclose(features[1], down[:, None].expand(4, 4), atol=1e-4)


def test_one_adaptation_serves_all_widths_of_an_elastic_student() -> None:
    layer = Adaptation(8, 6)
    features = torch.randn(2, 8, 3, 3)
    # it begins as the identity on shared channels
    assert torch.equal(layer(features), features[:, :6])
    nn.init.normal_(layer.convolution.weight)
    assert torch.allclose(layer(features), layer.convolution(features))
    narrow = functional.pad(features[:, :5], (0, 0, 0, 0, 0, 3))
    assert torch.allclose(layer(features[:, :5]), layer(narrow), atol=1e-6)
    with pytest.raises(DistillationError, match="has 9 channels, its adaptation takes at most 8"):
        layer(torch.randn(1, 9, 3, 3))


def _agnostic(model: Any) -> None:
    model.roi_head.bbox_head.reg_class_agnostic = True


def _other_coder(model: Any) -> None:
    model.roi_head.bbox_head.bbox_coder.stds = [0.2, 0.2, 0.4, 0.4]


def _nothing(model: Any) -> None:
    pass


RETINA = {
    "family": "retinanet",
    "neck": FpnNeck(channels=8, first_stage=2, extra="convolution"),
    "rpn": None,
    "head": RetinaHead(class_tower=(8,), box_tower=(8,)),
}


@pytest.mark.parametrize(
    ("changes", "change", "message"),
    [
        ({"classes": 4}, _nothing, "the same classes: 3 and 4"),
        ({"neck": FpnNeck(channels=8, levels=4)}, _nothing, "the same pyramid strides"),
        ({}, _other_coder, "the same box encoding"),
        ({}, _agnostic, "the teacher's boxes are class-agnostic"),
        (RETINA, _nothing, "the teacher, a RetinaNet, has no RoI head that distillation knows"),
    ],
    ids=["classes", "strides", "encoding", "agnostic", "one-stage"],
)
def test_detectors_that_cannot_be_compared_are_refused(
    changes: dict[str, Any], change: Callable[[Any], None], message: str
) -> None:
    teacher = build_detector(architecture(**changes), AROUND)
    change(teacher)
    with pytest.raises(DistillationError, match=message):
        Distiller(detector(STUDENT), teacher, PLAIN)
