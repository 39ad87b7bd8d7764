"""The searched RoI head as an mmdet module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from pipeline.supernet.choice import build_block


@MODELS.register_module()
class BlockBBoxHead(BBoxHead):
    """Searched blocks on RoI features, a fully connected layer, class scores and class-aware boxes.

    Hit-Detector, section 3.3: 4 blocks of 256 channels on 7×7 maps, and 512 outputs of the fully
    connected layer.

    Args:
        blocks: dicts with `operation` (a name, or a list of candidates) and `channels`.
        fc_channels: outputs of the fully connected layer.
        kwargs: those of mmdet's `BBoxHead` (`in_channels`, `roi_feat_size`, `num_classes`, losses …).
    """

    def __init__(self, blocks: Sequence[dict[str, Any]], fc_channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels = self.in_channels
        self.blocks = nn.Sequential()
        for number, block in enumerate(blocks, 1):
            self.blocks.add_module(
                f"block{number}", build_block(block["operation"], channels, block["channels"])
            )
            channels = block["channels"]
        self.shared_fc = nn.Linear(channels * self.roi_feat_area, fc_channels)
        self.fc_cls = nn.Linear(fc_channels, self.num_classes + 1)
        self.fc_reg = nn.Linear(fc_channels, 4 * self.num_classes)
        assert isinstance(self.init_cfg, list)
        self.init_cfg.append({"type": "Xavier", "override": [{"name": "shared_fc"}]})

    def forward(self, x: Any) -> tuple[Tensor, Tensor]:
        """RoI features (R, C, S, S) → class scores (R, classes + 1) and boxes (R, 4 · classes)."""
        x = functional.relu(self.shared_fc(self.blocks(x).flatten(1)))
        return self.fc_cls(x), self.fc_reg(x)
