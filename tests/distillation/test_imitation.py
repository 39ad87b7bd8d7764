"""Fine-grained feature imitation by hand: where, and how far."""

import pytest
import torch

from pipeline.distillation.imitation import imitation_loss, imitation_masks


def _anchors(side: int, stride: int, count: int) -> torch.Tensor:
    """Squares around the points of a grid of count × count, row by row, two sizes a point."""
    boxes = []
    for row in range(count):
        for column in range(count):
            x, y = stride * (column + 0.5), stride * (row + 0.5)
            for half in (side / 2, side / 4):
                boxes.append([x - half, y - half, x + half, y + half])
    return torch.tensor(boxes)


def test_points_near_an_objects_best_anchor_are_imitated() -> None:
    fine, coarse = _anchors(8, 4, 4), _anchors(16, 8, 2)
    sizes = [(4, 4), (2, 2)]
    # just the large anchor of point (1, 2) of the fine level: x 6 to 14, y 2 to 10
    small = torch.tensor([[6.0, 2.0, 14.0, 10.0]])
    masks = imitation_masks([fine, coarse], sizes, [small, torch.zeros(0, 4)])
    # neighbours at one step overlap by 4 · 8 of 96, the coarse anchors by at most 64 of 256
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[1, 2] = True
    assert torch.equal(masks[0][0], expected) and not masks[1].any()
    assert not masks[0][1].any(), "an image without objects"
    # a large object is imitated on the coarse level alone
    large = torch.tensor([[-4.0, -4.0, 12.0, 12.0]])
    fine_mask, coarse_mask = imitation_masks([fine, coarse], sizes, [large])
    assert coarse_mask[0].tolist() == [[True, False], [False, False]] and not fine_mask.any()
    both = imitation_masks([fine, coarse], sizes, [torch.cat([small, large])])
    assert torch.equal(both[0], masks[0][:1]) and torch.equal(both[1], coarse_mask)


def test_the_distance_is_halved_and_averaged_over_points_not_channels() -> None:
    student = [torch.zeros(1, 3, 2, 2, requires_grad=True), torch.zeros(1, 3, 1, 1)]
    teacher = [torch.full((1, 3, 2, 2), 2.0), torch.full((1, 3, 1, 1), 4.0)]
    masks = [torch.tensor([[[True, True], [False, False]]]), torch.tensor([[[True]]])]
    loss = imitation_loss(student, teacher, masks)
    # three channels: (2 points · 3 · 4 + 1 point · 3 · 16) / (2 · 3)
    assert loss.item() == pytest.approx((24 + 48) / 6)
    loss.backward()
    assert student[0].grad is not None
    assert not student[0].grad[..., 1, :].any() and student[0].grad[..., 0, :].all()
    nothing = [torch.zeros_like(mask) for mask in masks]
    empty = imitation_loss(student, teacher, nothing)
    assert empty.item() == 0 and empty.requires_grad
