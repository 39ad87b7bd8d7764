"""The stages of a run that train or evaluate."""

from __future__ import annotations

from pipeline.config.root import Config
from pipeline.plan.front import front_stages
from pipeline.plan.hit_detector import hit_detector_stages
from pipeline.plan.images import Images
from pipeline.plan.joint_detnas import joint_detnas_stages
from pipeline.plan.planned import WHOLE, Planned, Reckoning


def planned_stages(config: Config, images: Images, reckoning: Reckoning = WHOLE) -> list[Planned]:
    """The stages of the run's methods, and of a front where report or plan have it, in a possible order."""
    methods = config.run.methods
    joint = "joint_detnas" in methods
    front = "front" in methods or config.report.front or config.plan.front
    return [
        *(hit_detector_stages(config, images, reckoning) if "hit_detector" in methods else ()),
        *(joint_detnas_stages(config, images) if joint else ()),
        *(front_stages(config, images, pool_there=joint) if front else ()),
    ]
