"""Soft-NMS behind mmcv's name, against its published definition written out box by box, and hard NMS."""

import math

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from mmcv import ops

from pipeline.detection.soft_nms_op import softnms
from pipeline.errors import DetSearchError


def iou(first: list[float], second: list[float], offset: int) -> float:
    def area(box: list[float]) -> float:
        return (box[2] - box[0] + offset) * (box[3] - box[1] + offset)

    width = min(first[2], second[2]) - max(first[0], second[0]) + offset
    height = min(first[3], second[3]) - max(first[1], second[1]) + offset
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (area(first) + area(second) - shared)


def published(boxes, scores, method, threshold, sigma, least, offset):
    """The paper's algorithm, with a list of what is left: (index, score) of what is kept."""
    left, kept = [*enumerate(scores)], []
    while left:
        best, score = max(left, key=lambda each: (each[1], -each[0]))
        kept.append((best, score))
        remaining = []
        for index, value in left:
            if index == best:
                continue
            overlap = iou(boxes[best], boxes[index], offset)
            if method == "gaussian":
                value *= math.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                value *= 1 - overlap if method == "linear" else 0.0
            if value >= least:
                remaining.append((index, value))
        left = remaining
    return kept


@st.composite
def detections(draw):
    count = draw(st.integers(1, 12))
    # coordinates and scores that no two ways to round tell apart, and no two alike
    corner, side = st.integers(0, 24), st.integers(1, 12)
    boxes = []
    for _ in range(count):
        x, y, width, height = (draw(each) for each in (corner, corner, side, side))
        boxes.append([float(x), float(y), float(x + width), float(y + height)])
    scores = draw(st.permutations([0.95 - 0.07 * place for place in range(count)]))
    return boxes, scores


@given(
    detections(),
    st.sampled_from(["naive", "linear", "gaussian"]),
    st.sampled_from([0.31, 0.52]),
    st.sampled_from([0.0011, 0.1537]),
    st.sampled_from([0, 1]),
)
def test_it_is_the_published_algorithm(found, method, threshold, least, offset) -> None:
    boxes, scores = found
    expected = published(boxes, scores, method, threshold, 0.5, least, offset)
    given_scores = torch.tensor(scores, dtype=torch.float64)
    dets, inds = ops.soft_nms(
        torch.tensor(boxes, dtype=torch.float64),
        given_scores,
        threshold,
        0.5,
        least,
        method,
        offset,
    )
    assert inds.tolist() == [index for index, _ in expected]
    assert dets[:, :4].tolist() == [boxes[index] for index, _ in expected]
    assert dets[:, 4].tolist() == pytest.approx([score for _, score in expected], rel=1e-9)
    assert given_scores.tolist() == scores


@given(detections())
def test_naive_suppression_is_that_of_torchvision(found) -> None:
    boxes, scores = torch.tensor(found[0]), torch.tensor(found[1])
    # an IoU of exactly the threshold is suppressed by the one and kept by the other
    _, inds = ops.soft_nms(boxes, scores, 0.5003, method="naive")
    assert inds.tolist() == torchvision.ops.nms(boxes, scores, 0.5003).tolist()


def test_a_crowd_keeps_what_hard_suppression_removes() -> None:
    """Two people of IoU 0.6: the second one's score is 0.8 · 0.4."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [2.5, 0, 12.5, 10], [50, 50, 60, 60]])
    dets, inds = ops.soft_nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5, method="linear")
    assert inds.tolist() == [0, 2, 1]
    assert dets[:, 4].tolist() == pytest.approx([0.9, 0.7, 0.32])
    with_classes, kept = ops.batched_nms(
        boxes,
        torch.tensor([0.9, 0.8, 0.7]),
        torch.tensor([0, 1, 0]),
        {"type": "soft_nms", "iou_threshold": 0.5},
    )
    assert kept.tolist() == [0, 1, 2] and with_classes[:, 4].tolist() == pytest.approx(
        [0.9, 0.8, 0.7]
    )


def test_nothing_is_kept_of_nothing_and_other_methods_are_refused() -> None:
    dets, inds = ops.soft_nms(torch.empty(0, 4), torch.empty(0))
    assert dets.shape == (0, 5) and inds.shape == (0,)
    with pytest.raises(DetSearchError, match="methods 0, 1 and 2"):
        softnms(torch.zeros(1, 4), torch.zeros(1), torch.zeros(1, 5), 0.5, 0.5, 0.0, 3, 0)
