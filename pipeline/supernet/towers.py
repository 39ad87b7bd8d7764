"""The searched head of a one-stage detector as an mmdet module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.models.dense_heads import RetinaHead
from mmdet.registry import MODELS
from torch import Tensor, nn

from pipeline.supernet.choice import ChoiceLayer, build_block
from pipeline.supernet.levels import level_norms, share_by_levels


@MODELS.register_module()
class TowerHead(RetinaHead):
    """RetinaNet's head whose towers are searched blocks, shared by all levels of the pyramid.

    Args:
        class_tower: dicts with `operation` (a name, or a list of candidates) and `channels`.
        box_tower: the same for the boxes.
        kwargs: those of mmdet's `RetinaHead` (`num_classes`, `in_channels`, anchors, losses …).
    """

    def __init__(
        self,
        class_tower: Sequence[dict[str, Any]],
        box_tower: Sequence[dict[str, Any]],
        **kwargs: Any,
    ) -> None:
        # mmdet makes the layers before its constructor returns
        self._towers = (class_tower, box_tower)
        # as in RetinaNet; the blocks keep PyTorch's initialisation, as everywhere
        last = {"type": "Normal", "std": 0.01}
        init_cfg = last | {
            "override": [
                last | {"name": "retina_cls", "bias_prob": 0.01},
                last | {"name": "retina_reg"},
            ]
        }
        super().__init__(init_cfg=init_cfg, **kwargs)

    def _init_layers(self) -> None:
        class_tower, box_tower = self._towers
        self.class_tower = self._tower(class_tower)
        self.box_tower = self._tower(box_tower)
        anchors = self.num_base_priors
        self.retina_cls = nn.Conv2d(
            class_tower[-1]["channels"], anchors * self.cls_out_channels, 3, padding=1
        )
        self.retina_reg = nn.Conv2d(
            box_tower[-1]["channels"], anchors * self.bbox_coder.encode_size, 3, padding=1
        )

    def _tower(self, blocks: Sequence[dict[str, Any]]) -> nn.ModuleList:
        channels, levels = self.in_channels, len(self.prior_generator.strides)
        tower = nn.ModuleList()
        for block in blocks:
            made = build_block(block["operation"], channels, block["channels"])
            tower.append(share_by_levels(made, levels))
            channels = block["channels"]
        return tower

    # mmdet annotates a pair of lists as a tuple of one
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: Any
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Levels (N, C, H, W) → of each the class scores (N, A · classes, H, W) and boxes (N, 4 A, H, W)."""
        classes = boxes = list(x)
        for block in self.class_tower:
            classes = over_levels(block, classes)
        for block in self.box_tower:
            boxes = over_levels(block, boxes)
        return [self.retina_cls(level) for level in classes], [
            self.retina_reg(level) for level in boxes
        ]


def over_levels(block: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Run a shared block on every level. A choice layer draws its candidates once, for all of them."""
    norms = level_norms(block)
    drawn = (block.draw(),) if isinstance(block, ChoiceLayer) else ()
    outputs = []
    for level, input in enumerate(inputs):
        for norm in norms:
            norm.level = level
        outputs.append(block(input, *drawn))
    return outputs
