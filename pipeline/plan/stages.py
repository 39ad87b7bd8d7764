"""The stages of a run that train or evaluate."""

from __future__ import annotations

from pipeline.config.root import Config
from pipeline.plan.hit_detector import hit_detector_stages
from pipeline.plan.images import Images
from pipeline.plan.joint_detnas import joint_detnas_stages
from pipeline.plan.planned import Planned


def planned_stages(config: Config, images: Images) -> list[Planned]:
    """The stages of both methods, in an order in which they can run."""
    return [*hit_detector_stages(config, images), *joint_detnas_stages(config, images)]
