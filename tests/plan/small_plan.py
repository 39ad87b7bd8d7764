"""A supernet that is small enough to be built, and the stages of a config, for the tests of the plan."""

from pipeline.config.root import Config
from pipeline.config.supernet import SupernetConfig
from pipeline.plan.images import count_images
from pipeline.plan.stages import planned_stages

SHAPE = SupernetConfig(
    input_size=(64, 96),
    channels=(8, 12, 16, 24),
    neck_channels=16,
    rpn_channels=16,
    head_blocks=2,
    head_fc_channels=32,
    roi_size=3,
    execution="store",
)
DEPTH = (1, 2, 1, 1)
ROIS, CLASSES = 10, 7
OPERATIONS = ("conv_k3_d1", "sep_k5_d1", "ir_k3_d1_e3")


def names(config: Config) -> list[str]:
    return [stage.name for stage in planned_stages(config, count_images(config))]
