"""An upgrade of a found student beyond the search: deformable convolutions and a cascade of heads (4.2.3).

Both begin as what was there: offsets of zero sample where a plain convolution does, and every stage of the
cascade is a copy of the one head. They are no actions: an upgraded detector is not pruned or grown.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import Tensor

from pipeline.morphism.errors import ActionError
from pipeline.search_space.architecture import Architecture, ConvFcHead, ResNetBackbone
from pipeline.search_space.slicing import Weights

HEAD = "roi_head.bbox_head."
KERNEL = 3
"""Side of the convolutions that become deformable."""


def upgrade(
    architecture: Architecture,
    weights: Weights,
    deformable_stages: Collection[int],
    cascade: Sequence[float],
) -> tuple[Architecture, dict[str, Tensor]]:
    """The upgraded detector, with the weights it inherits.

    Args:
        architecture: a Faster R-CNN with a conv_fc head.
        weights: its state dict; it is not changed.
        deformable_stages: of a ResNet or ResNeXt, from 1: the second convolution of their blocks, a 3×3,
            becomes deformable.
        cascade: IoU from which on a proposal counts as an object, of each stage; of one alone there is no
            cascade.

    Raises:
        ActionError: the backbone or the head has no such thing, or is upgraded already.
        ValidationError: the IoUs do not rise.
    """
    backbone, head = architecture.backbone, architecture.head
    if not isinstance(head, ConvFcHead) or len(head.cascade) > 1:
        raise ActionError(
            "an upgrade makes a cascade of one conv_fc head, and there is another head"
        )
    content = architecture.model_dump(mode="json")
    content["head"]["cascade"] = list(cascade)
    inherited = _cascaded(weights, len(cascade))
    if deformable_stages:
        if not isinstance(backbone, ResNetBackbone):
            raise ActionError(
                "deformable convolutions replace a ResNet's or ResNeXt's, not those of a backbone of "
                f"type {backbone.type}: set upgrade.deformable_stages to []"
            )
        for stage in deformable_stages:
            if not 1 <= stage <= len(backbone.stages):
                raise ActionError(
                    f"there is no stage {stage} to make deformable: the backbone has stages 1 to "
                    f"{len(backbone.stages)}"
                )
            for number, block in enumerate(content["backbone"]["stages"][stage - 1]):
                block["deformable"] = True
                inherited |= _offsets(inherited, f"backbone.layer{stage}.{number}.conv2")
    return Architecture.model_validate(content), inherited


def _cascaded(weights: Weights, stages: int) -> dict[str, Tensor]:
    """The state dict with a copy of the RoI head for each stage."""
    if stages == 1:
        return dict(weights)
    others = {name: value for name, value in weights.items() if not name.startswith(HEAD)}
    copies = {
        f"{HEAD}{stage}.{name.removeprefix(HEAD)}": value.clone()
        for stage in range(stages)
        for name, value in weights.items()
        if name.startswith(HEAD)
    }
    return others | copies


def _offsets(weights: Weights, convolution: str) -> dict[str, Tensor]:
    """Zeros for the convolution that computes where a deformable one samples: two for each of its places."""
    kernel = weights[f"{convolution}.weight"]
    # all that the first convolution writes, also where the second is grouped
    reads = weights[f"{convolution.removesuffix('2')}1.weight"].shape[0]
    offsets = 2 * KERNEL * KERNEL
    return {
        f"{convolution}.conv_offset.weight": kernel.new_zeros(offsets, reads, KERNEL, KERNEL),
        f"{convolution}.conv_offset.bias": kernel.new_zeros(offsets),
    }
