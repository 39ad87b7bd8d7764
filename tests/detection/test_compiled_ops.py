"""mmcv's public ops, running on `pipeline.detection.compiled_ops`, against torchvision and by hand."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv import ops
from torch import Tensor
from torch.autograd import gradcheck


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _leaf(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """A leaf with values of its own for every shape, so that swapped arguments show."""
    generator = torch.Generator().manual_seed(hash(shape) % 2**31)
    return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()


def _assert_same(ours: Tensor, theirs: Tensor, leaves: tuple[Tensor, ...]) -> None:
    """Equal outputs and equal gradients of a random, non-contiguous combination of them."""
    assert torch.equal(ours, theirs)
    cotangent = torch.randn(ours.shape[::-1], generator=_seeded(), dtype=ours.dtype).permute(
        *range(ours.ndim - 1, -1, -1)
    )
    for mine, other in zip(
        torch.autograd.grad(ours, leaves, cotangent),
        torch.autograd.grad(theirs, leaves, cotangent),
        strict=True,
    ):
        assert mine.abs().sum() > 0
        torch.testing.assert_close(mine, other, rtol=0, atol=0)


# ---- nms


def _greedy_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, offset: int) -> list[int]:
    kept: list[int] = []
    for i in np.argsort(-scores):
        x1, y1 = np.maximum(boxes[i, :2], boxes[kept, :2]).T
        x2, y2 = np.minimum(boxes[i, 2:], boxes[kept, 2:]).T
        overlap = np.maximum(x2 - x1 + offset, 0) * np.maximum(y2 - y1 + offset, 0)
        areas = np.prod(boxes[:, 2:] - boxes[:, :2] + offset, axis=1)
        if not np.any(overlap > threshold * (areas[i] + areas[kept] - overlap)):
            kept.append(int(i))
    return kept


@settings(deadline=None)
@given(
    boxes=st.lists(st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 8)] * 2), max_size=12),
    # Odd thresholds: an IoU of small integers never ties with them.
    threshold=st.sampled_from([0.123, 0.317, 0.571, 0.713]),
    offset=st.sampled_from([0, 1]),
)
def test_nms_is_greedy_in_both_conventions(
    boxes: list[tuple[int, ...]], threshold: float, offset: int
) -> None:
    corners = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32).reshape(-1, 4)
    scores = np.random.default_rng(len(boxes)).permutation(len(boxes)).astype(np.float32)
    _, kept = ops.nms(corners, scores, threshold, offset=offset)
    assert list(kept) == _greedy_nms(corners, scores, threshold, offset)


def test_offset_changes_what_is_kept() -> None:
    # Widths 2 and 1 of height 1: IoU 1/2, and in the legacy convention 4/6.
    boxes, scores = torch.tensor([[0.0, 0, 2, 1], [0, 0, 1, 1]]), torch.tensor([0.9, 0.8])
    assert ops.nms(boxes, scores, 0.6, offset=0)[1].tolist() == [0, 1]
    assert ops.nms(boxes, scores, 0.6, offset=1)[1].tolist() == [0]


def test_batched_nms_equals_torchvision() -> None:
    corner, size = torch.rand(2, 200, 2, generator=_seeded()) * 40
    boxes, scores = torch.cat([corner, corner + size], 1), torch.rand(200, generator=_seeded())
    classes = torch.arange(200) % 3
    _, kept = ops.batched_nms(boxes, scores, classes, {"type": "nms", "iou_threshold": 0.4})
    expected = torchvision.ops.batched_nms(boxes, scores, classes, 0.4)
    assert 20 < len(kept) < 200
    assert torch.equal(kept, expected)


# ---- RoIAlign

ROIS = torch.tensor(
    [[0, 1.5, 2.0, 20.0, 11.0], [1, 0.0, 3.3, 7.7, 30.0], [1, 5.0, 5.0, 5.2, 5.1]],
    dtype=torch.float64,
)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_roi_align_equals_torchvision(aligned: bool, sampling_ratio: int) -> None:
    x = _leaf(2, 3, 17, 11)
    align = ops.RoIAlign((4, 3), 0.5, sampling_ratio, aligned=aligned)
    for features in (x, x.to(memory_format=torch.channels_last)):
        theirs = torchvision.ops.roi_align(features, ROIS, (4, 3), 0.5, sampling_ratio, aligned)
        _assert_same(align(features, ROIS), theirs, (x,))
    assert gradcheck(lambda t: align(t, ROIS), (_leaf(2, 1, 9, 8),), fast_mode=True)


def test_roi_align_of_a_ramp_is_the_ramp_at_the_bin_centres() -> None:
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    rois = torch.tensor([[0.0, 4.0, 6.0, 16.0, 12.0]])
    pooled = ops.roi_align(torch.stack([rows, columns])[None], rois, (2, 3), 1.0, 2)
    # Pixel (r, c) is a value at (r + 1/2, c + 1/2): bins 3 high from y = 6, and 4 wide from x = 4.
    assert torch.allclose(pooled[0, 0], torch.tensor([[7.0] * 3, [10.0] * 3]))
    assert torch.allclose(pooled[0, 1], torch.tensor([[5.5, 9.5, 13.5]] * 2))


def test_roi_align_without_rois_and_with_max_pooling() -> None:
    x = _leaf(1, 2, 8, 8)
    out = ops.roi_align(x, ROIS[:0], 2)
    assert out.shape == (0, 2, 2, 2)
    assert torch.autograd.grad(out.sum(), x)[0].eq(0).all()
    with pytest.raises(NotImplementedError, match=r"pool_mode='max'.*use pool_mode='avg'"):
        ops.roi_align(x, ROIS, 2, 1.0, 0, "max")


# ---- deformable convolutions

GEOMETRIES: list[dict[str, Any]] = [
    {
        "kernel": (3, 3),
        "stride": (1, 1),
        "padding": (1, 1),
        "dilation": (1, 1),
        "groups": 1,
        "g": 1,
    },
    {
        "kernel": (3, 2),
        "stride": (2, 1),
        "padding": (1, 2),
        "dilation": (1, 2),
        "groups": 2,
        "g": 1,
    },
    {
        "kernel": (1, 3),
        "stride": (1, 2),
        "padding": (0, 1),
        "dilation": (2, 1),
        "groups": 2,
        "g": 4,
    },
]


def _deformable(geometry: dict[str, Any], batch: int = 4) -> tuple[Tensor, ...]:
    """Input, offset, mask, weight and bias for a geometry, all leaves."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (
        geometry[key] for key in ("kernel", "stride", "padding", "dilation")
    )
    height = (9 + 2 * ph - dh * (kh - 1) - 1) // sh + 1
    width = (7 + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    cells = geometry["g"] * kh * kw
    return (
        _leaf(batch, 4, 9, 7),
        _leaf(batch, 2 * cells, height, width),
        _leaf(batch, cells, height, width),
        _leaf(6, 4 // geometry["groups"], kh, kw),
        _leaf(6),
    )


def _mmcv_args(geometry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(geometry[key] for key in ("stride", "padding", "dilation", "groups", "g"))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_deform_conv_equals_torchvision(geometry: dict[str, Any]) -> None:
    x, offset, _, weight, _ = _deformable(geometry)
    ours = ops.deform_conv2d(x, offset, weight, *_mmcv_args(geometry), False, 2)
    theirs = torchvision.ops.deform_conv2d(x, offset, weight, None, *_mmcv_args(geometry)[:3])
    _assert_same(ours, theirs, (x, offset, weight))


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("with_bias", [True, False])
def test_modulated_deform_conv_equals_torchvision(
    geometry: dict[str, Any], with_bias: bool
) -> None:
    x, offset, mask, weight, bias = _deformable(geometry)
    given_bias = bias if with_bias else None
    ours = ops.modulated_deform_conv2d(x, offset, mask, weight, given_bias, *_mmcv_args(geometry))
    theirs = torchvision.ops.deform_conv2d(
        x, offset, weight, given_bias, *_mmcv_args(geometry)[:3], mask=mask
    )
    _assert_same(ours, theirs, (x, offset, mask, weight, *([bias] if with_bias else [])))


def test_deformable_convolutions_pass_gradcheck() -> None:
    geometry = GEOMETRIES[1]
    x, offset, mask, weight, bias = _deformable(geometry, batch=1)

    def plain(*leaves: Tensor) -> Tensor:
        return ops.deform_conv2d(*leaves, *_mmcv_args(geometry))

    def modulated(*leaves: Tensor) -> Tensor:
        return ops.modulated_deform_conv2d(*leaves, *_mmcv_args(geometry))

    assert gradcheck(plain, (x, offset, weight), fast_mode=True)
    assert gradcheck(modulated, (x, offset, mask, weight, bias), fast_mode=True)


def test_whole_offsets_shift_the_image_rows_first() -> None:
    x, _, _, weight, bias = _deformable(GEOMETRIES[0])
    # Every kernel cell looks one row down and two columns to the left.
    offset = (
        torch.tensor([1.0, -2.0], dtype=x.dtype).repeat(9)[None, :, None, None].expand(4, 18, 9, 7)
    )
    shifted = F.pad(x, (2, 0, 0, 1))[:, :, 1:, :7]
    inner = (..., slice(1, -1), slice(1, -1))  # at the border, padding and shifting do not commute
    ours = ops.deform_conv2d(x, offset, weight, 1, 1)
    assert torch.allclose(ours[inner], F.conv2d(shifted, weight, None, 1, 1)[inner])
    half = torch.full((4, 9, 9, 7), 0.5, dtype=x.dtype)
    modulated = ops.modulated_deform_conv2d(x, offset, half, weight, bias, 1, 1)
    assert torch.allclose(modulated, ours / 2 + bias[:, None, None])


# ---- focal losses

# The last class index, 4 of 4 classes, is mmdet's background.
TARGETS = torch.tensor([0, 3, 1, 4, 2, 4])


def _assert_exact(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("gamma", [2.0, 0.5])
def test_sigmoid_focal_loss_equals_torchvision(gamma: float) -> None:
    x = _leaf(6, 4)
    one_hot = F.one_hot(TARGETS, 5)[:, :4].to(x.dtype)
    theirs = torchvision.ops.sigmoid_focal_loss(x, one_hot, 0.3, gamma)
    ours = ops.sigmoid_focal_loss(x, TARGETS, gamma, 0.3, None, "none")
    _assert_exact(ours, theirs)
    cotangent = torch.randn(6, 4, generator=_seeded(), dtype=x.dtype)
    for mine, other in (
        (torch.autograd.grad(o, x, cotangent)[0] for o in (ours, theirs)),
        (
            torch.autograd.grad(ops.sigmoid_focal_loss(x, TARGETS, gamma, 0.3), x)[0],
            torch.autograd.grad(
                torchvision.ops.sigmoid_focal_loss(x, one_hot, 0.3, gamma).sum() / 6, x
            )[0],
        ),
    ):
        _assert_exact(mine, other)


def test_sigmoid_focal_loss_weights_rows_by_their_class_and_survives_huge_logits() -> None:
    x, targets = _leaf(6, 4), TARGETS % 4
    weight = torch.tensor([0.5, 2.0, 0.0, 3.0], dtype=x.dtype)
    plain = ops.sigmoid_focal_loss(x, targets, 2.0, 0.25, None, "none")
    weighted = ops.sigmoid_focal_loss(x, targets, 2.0, 0.25, weight, "none")
    assert torch.allclose(weighted, plain * weight[targets, None])
    assert gradcheck(lambda t: ops.sigmoid_focal_loss(t, targets, 2.0, 0.25, weight), (x,))
    with pytest.raises(IndexError):
        ops.sigmoid_focal_loss(x, TARGETS, 2.0, 0.25, weight)

    huge = torch.tensor([[-1000.0, 1000.0]], requires_grad=True)  # as wrong as can be
    loss = ops.sigmoid_focal_loss(huge, torch.tensor([0]), 2.0, 0.25, None, "none")
    assert torch.allclose(loss, torch.tensor([[250.0, 750.0]]))
    assert torch.autograd.grad(loss.sum(), huge)[0].tolist() == [[-0.25, 0.75]]


@pytest.mark.parametrize("gamma", [2.0, 0.5])
def test_softmax_focal_loss_equals_its_definition(gamma: float) -> None:
    x, weight = _leaf(6, 5), torch.tensor([0.5, 2.0, 1.0, 3.0, 0.1], dtype=torch.float64)
    log_p = x.log_softmax(1).gather(1, TARGETS[:, None]).squeeze(1)
    loss = -0.3 * weight[TARGETS] * (1 - log_p.exp()) ** gamma * log_p
    targets = TARGETS.index_fill(0, torch.tensor([1]), -1)
    theirs = loss.where(targets >= 0, 0).mean()  # an ignored row adds nothing, but counts
    ours = ops.softmax_focal_loss(x, targets, gamma, 0.3, weight)
    _assert_exact(ours, theirs)
    assert torch.allclose(torch.autograd.grad(ours, x)[0], torch.autograd.grad(theirs, x)[0])
    sure = torch.tensor([[0.0, 200.0]], requires_grad=True)
    ops.softmax_focal_loss(sure, torch.tensor([1]), gamma).backward()
    assert sure.grad is not None
    assert sure.grad.eq(0).all()


# ---- types and devices


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_the_rounded_float32_result(dtype: torch.dtype) -> None:
    leaves = [leaf.detach().to(dtype).requires_grad_() for leaf in _deformable(GEOMETRIES[1])]
    rois = torch.tensor([[0.0, 1, 1, 6, 8], [3, 0, 2, 5, 7]], dtype=dtype)

    def run(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        features = ops.modulated_deform_conv2d(
            x, offset, mask, weight, bias, *_mmcv_args(GEOMETRIES[1])
        )
        return ops.roi_align(features, rois.to(x.dtype), (2, 2))

    wide = [leaf.detach().float().requires_grad_() for leaf in leaves]
    low, full = run(*leaves), run(*wide)
    assert low.dtype == dtype
    torch.testing.assert_close(low.float(), full, rtol=0.02, atol=0.02)
    for mine, other in zip(
        torch.autograd.grad(low.sum(), leaves), torch.autograd.grad(full.sum(), wide), strict=True
    ):
        assert mine.dtype == dtype
        assert (mine.float() - other).norm() < 0.02 * other.norm()


def test_meta_tensors_give_shapes() -> None:
    x, offset, mask, weight, bias = (leaf.to("meta") for leaf in _deformable(GEOMETRIES[1]))
    features = ops.modulated_deform_conv2d(
        x, offset, mask, weight, bias, *_mmcv_args(GEOMETRIES[1])
    )
    assert features.shape == (4, 6, *offset.shape[2:])
    assert ops.roi_align(features, ROIS.to("meta"), (4, 3)).shape == (3, 6, 4, 3)


# ---- what is not there


def test_an_op_torchvision_lacks_says_so_when_called() -> None:
    with pytest.raises(
        NotImplementedError, match=r"mmcv\._ext\.roi_pool_forward: .*pip install.*onedl-mmcv"
    ):
        ops.roi_pool(_leaf(1, 1, 4, 4), ROIS, 2)
    assert not hasattr(sys.modules["mmcv._ext"], "__path__")
