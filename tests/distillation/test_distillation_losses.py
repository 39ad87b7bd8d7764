"""The distillation losses against numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from pipeline.distillation.losses import (
    DistillationError,
    batch_norm_sparsity,
    box_loss,
    class_loss,
    feature_loss,
    relative_feature_loss,
)


def test_feature_loss_by_hand() -> None:
    # P = 2 proposals, D = 2 channels, S = 1, L = 2 levels
    student = [torch.tensor([[1.0, 2], [0, 0]]), torch.tensor([[3.0, 0], [1, 1]])]
    teacher = [torch.tensor([[0.0, 2], [0, 3]]), torch.tensor([[1.0, 1], [1, 1]])]
    maps = [[level[:, :, None, None] for level in levels] for levels in (student, teacher)]
    # level 1: 1 + 0 + 0 + 9, level 2: 4 + 1 + 0 + 0, over two points
    assert feature_loss(*maps).item() == 15 / 2
    # the same differences at each of 2×2 points: four times the sum, four times the points
    wide = [[level.expand(-1, -1, 2, 2) for level in levels] for levels in maps]
    assert feature_loss(*wide).item() == 15 / 2


def test_relative_feature_loss_by_hand_and_whatever_the_scale() -> None:
    student = [torch.tensor([[1.0, 2], [0, 0]]), torch.tensor([[3.0, 0], [1, 1]])]
    teacher = [torch.tensor([[0.0, 2], [0, 3]]), torch.tensor([[1.0, 1], [1, 1]])]
    maps = [[level[:, :, None, None] for level in levels] for levels in (student, teacher)]
    # distances 10 and 5 as above, the teacher's squares 13 and 4
    expected = pytest.approx((10 / 13 + 5 / 4) / 2)
    assert relative_feature_loss(*maps).item() == expected
    wide = [[7 * level.expand(-1, -1, 2, 2).repeat(1, 3, 1, 1) for level in each] for each in maps]
    assert relative_feature_loss(*wide).item() == expected
    nothing = [torch.zeros_like(level) for level in maps[0]]
    assert relative_feature_loss(nothing, maps[1]).item() == 1
    assert relative_feature_loss(maps[1], maps[1]).item() == 0
    empty = [torch.zeros(0, 2, 1, 1, requires_grad=True)]
    loss = relative_feature_loss(empty, [torch.zeros(0, 2, 1, 1)])
    assert loss.item() == 0 and loss.requires_grad


def test_class_loss_by_hand() -> None:
    teacher = torch.tensor([[0.75, 0.25], [0.5, 0.5]]).log()
    student = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
    expected = (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)) / 2
    assert class_loss(student, teacher).item() == pytest.approx(expected, abs=1e-7)
    # logits count up to a constant
    assert class_loss(student + 3, teacher - 7).item() == pytest.approx(expected, abs=1e-6)


logits = st.lists(
    st.lists(st.floats(-8, 8, width=32), min_size=4, max_size=4), min_size=1, max_size=5
).map(torch.tensor)


@given(logits, st.integers(0, 2**31 - 1))
def test_class_loss_is_the_soft_cross_entropy_less_the_teacher_s_entropy(
    teacher: Tensor, seed: int
) -> None:
    teacher = teacher.double()
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(teacher.shape, dtype=torch.double, generator=generator)
    student.requires_grad_()
    # torch's cross entropy with probabilities as targets is the equation as printed
    targets = teacher.softmax(1)
    printed = functional.cross_entropy(student, targets)
    loss = class_loss(student, teacher)
    entropy = torch.special.entr(targets).sum(1).mean()
    assert loss.item() == pytest.approx((printed - entropy).item(), abs=1e-9)
    assert loss.item() >= 0
    one, other = (torch.autograd.grad(value, student)[0] for value in (printed, loss))
    assert torch.allclose(one, other, atol=1e-12)
    assert class_loss(teacher, teacher).item() == 0


def test_box_loss_by_hand() -> None:
    # C = 2 classes; the teacher says 1/2, 1/4, and 1/4 background
    scores = torch.tensor([[0.5, 0.25, 0.25]]).log()
    teacher = torch.tensor([[1.0, 2, 3, 4, 10, 20, 30, 40]])
    student = torch.tensor([[0.0, 2, 5, 4, 12, 20, 30, 36]])
    # coordinates: |½·1 − ¼·2| (they cancel), 0, |½·(−2)|, |¼·4|
    assert box_loss(student, teacher, scores).item() == pytest.approx(0 + 0 + 1 + 1)
    # a proposal of background alone adds nothing but to N
    background = torch.tensor([[-100.0, -100, 0]])
    scores = torch.cat([scores, background])
    loss = box_loss(student.expand(2, -1), teacher.expand(2, -1), scores)
    assert loss.item() == pytest.approx(2 / 2)


def test_no_proposals_make_a_loss_of_zero_with_gradients_of_zero() -> None:
    logits, boxes = torch.zeros(0, 3), torch.zeros(0, 8)
    features = torch.zeros(0, 5, 7, 7)
    losses = [
        (features, lambda student: feature_loss([student], [features])),
        (logits, lambda student: class_loss(student, logits)),
        (boxes, lambda student: box_loss(student, boxes, logits)),
    ]
    for outputs, loss in losses:
        student = outputs.clone().requires_grad_()
        value = loss(student)
        assert value.item() == 0
        value.backward()
        assert student.grad is not None and student.grad.shape == student.shape


def test_sparsity_is_the_sum_of_all_scales() -> None:
    first, second, other = nn.BatchNorm2d(3), nn.BatchNorm2d(2), nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([1.0, -2, 0]))
        second.weight.copy_(torch.tensor([0.5, -0.25]))
        first.bias.fill_(9)
    loss = batch_norm_sparsity(nn.Sequential(other, first, nn.Sequential(second)))
    assert loss.item() == 3.75
    first_signs, second_signs = torch.autograd.grad(loss, [first.weight, second.weight])
    assert first_signs.tolist() == [1, -1, 0] and second_signs.tolist() == [1, -1]
    with pytest.raises(DistillationError, match="Linear has no batch norm"):
        batch_norm_sparsity(nn.Linear(2, 2))
