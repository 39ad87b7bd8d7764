"""A space of subnets small enough to try them all."""

from pipeline.config.teacher_pool import PoolSpace
from pipeline.teacher_pool.space import SubnetSpace

SPACE = SubnetSpace.whole(
    PoolSpace(
        block="basic",
        base_channels=4,
        neck_channels=8,
        rpn_channels=8,
        anchor_scale=4,
        roi_size=3,
        head_fc_channels=16,
        least_depths=(1, 1, 1, 1),
        greatest_depths=(2, 2, 3, 2),
        widths=(1.0, 1.5),
        resolutions=((96, 96), (64, 64)),
    ),
    classes=10,
)
