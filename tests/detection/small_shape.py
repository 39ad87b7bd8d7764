"""The outer shape of the smallest searched detector that the tests of this folder build."""

from pipeline.config.supernet import SupernetConfig

SHAPE = SupernetConfig(
    input_size=(64, 96),
    stem_channels=4,
    channels=(6, 8, 8, 12),
    neck_channels=8,
    rpn_channels=8,
    anchor_scale=4,
    head_blocks=1,
    head_fc_channels=16,
    roi_size=3,
)
