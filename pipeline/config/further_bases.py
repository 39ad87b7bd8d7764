"""Section `further_bases`: more detectors that Joint-DetNAS upgrades, beside that of `base_detector`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config.ablations import Name
from pipeline.config.base import Section
from pipeline.config.base_detector import BaseNetwork
from pipeline.config.pretrained import Pretrained


class FurtherBase(Section):
    """A network of the zoo, trained by `base_detector.training`, and searched by `hill_climb`."""

    network: BaseNetwork
    width: float | None = Field(
        default=None, gt=0, description="as of base_detector; null: the same factor"
    )
    head_width: float | None = Field(
        default=None, gt=0, description="as of base_detector; null: the same factor"
    )
    pretrained: Pretrained | None = Field(
        default=None, description="weights that the backbone starts from; null: none"
    )


FurtherBases = Annotated[
    dict[Name, FurtherBase],
    Field(
        description="by name; `joint_table4` and `joint_figure5` train them and search a student of each"
    ),
]
