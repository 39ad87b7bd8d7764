"""The searched backbone, neck and head as modules: strides, paths and shapes, by hand."""

from typing import Any

import pytest
import torch
from torch import nn

from pipeline.detection.builder import register_modules
from pipeline.supernet.backbone import BlockBackbone


def _block(operation: Any, channels: int, stride: int = 1) -> dict[str, Any]:
    return {"operation": operation, "channels": channels, "stride": stride}


def _backbone(operation: Any) -> BlockBackbone:
    stages = [
        [_block(operation, width, 2), _block(operation, width + 1)] for width in (4, 6, 8, 10)
    ]
    return BlockBackbone({"channels": 5, "bias": False}, stages)


@pytest.mark.parametrize("operation", ["ir_k5_d2_e3", ["conv_k3_d1", "sep_k3_d2"]])
def test_the_backbone_gives_four_maps_of_stride_4_to_32(operation: Any) -> None:
    backbone = _backbone(operation)
    assert backbone.out_channels == (5, 7, 9, 11)
    shapes = [tuple(map_.shape) for map_ in backbone(torch.randn(2, 3, 64, 96))]
    assert shapes == [(2, 5, 16, 24), (2, 7, 8, 12), (2, 9, 4, 6), (2, 11, 2, 3)]


def _bare_neck() -> Any:
    """A neck of one channel whose laterals and merging convolutions pass their input through."""
    register_modules()
    from pipeline.supernet.neck import PathNeck

    laterals = [_block("conv_k3_d1", 1)] * 4
    neck = PathNeck([1] * 4, laterals, laterals)
    for path in (neck.top_down, neck.bottom_up):
        for level in range(4):
            path[level] = nn.Identity()
    for merge in neck.merge:
        nn.init.dirac_(merge.weight)  # type: ignore[arg-type]
        nn.init.zeros_(merge.bias)  # type: ignore[arg-type]
    return neck


def test_the_neck_adds_along_both_paths() -> None:
    maps = [
        torch.full((1, 1, side, side), value)
        for side, value in zip((16, 8, 4, 2), (1, 10, 100, 1000.0), strict=True)
    ]
    levels = _bare_neck()(maps)
    assert [tuple(level.shape[-2:]) for level in levels] == [
        (16, 16),
        (8, 8),
        (4, 4),
        (2, 2),
        (1, 1),
    ]
    # top-down: P4 1000, P3 1100, P2 1110, P1 1111; bottom-up: N1 = P1, N_{i+1} = N_i + P_{i+1}
    assert [level.unique().tolist() for level in levels] == [[1111], [2221], [3321], [4321], [4321]]


def test_the_neck_pools_upsamples_and_subsamples() -> None:
    # sides 5, 3, 2, 1: an odd side's last row and column must reach the coarser level
    sides = (5, 3, 2, 1)
    maps = [torch.zeros(1, 1, side, side) for side in sides]
    maps[0][..., 4, 4] = 7
    assert [level.max().item() for level in _bare_neck()(maps)] == [7, 7, 7, 7, 7]
    maps = [torch.zeros(1, 1, side, side) for side in (8, 4, 2, 1)]
    maps[1][..., 1, 2] = 3
    finest, finer, *_ = _bare_neck()(maps)
    assert finest.nonzero()[:, 2:].tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    # once as the map itself, once pooled from the finest level, where it was upsampled
    assert finer[0, 0, 1, 2] == 6 and finer.count_nonzero() == 1


def test_the_head_scores_each_class_and_a_background_and_boxes_of_each_class() -> None:
    register_modules()
    from pipeline.supernet.head import BlockBBoxHead

    blocks = [_block("sep_k3_d1", 6), _block(["conv_k3_d1", "ir_k3_d1_e1"], 8)]
    head = BlockBBoxHead(blocks, 12, in_channels=4, roi_feat_size=3, num_classes=5)
    assert head.shared_fc.in_features == 8 * 9
    scores, boxes = head(torch.randn(7, 4, 3, 3))
    assert scores.shape == (7, 6) and boxes.shape == (7, 20)
