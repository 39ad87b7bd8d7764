"""What is chosen for a user's data and machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.own_detection import OwnDetection
from pipeline.config.root import load_config
from pipeline.config.run import LONGEST
from pipeline.own_config.given import Given
from pipeline.own_config.lengths import Lengths
from pipeline.own_config.machine import Machine
from pipeline.own_config.recipes import FROM_WEIGHTS, ON_CPU, ON_GPU, Recipe
from pipeline.own_config.sizes import Sizes
from pipeline.own_config.survey import Survey, look_at

ANCHOR, LARGE_ANCHOR = 4, 8
"""Sides of the least anchors, in the finest feature map's stride of 4: 16 and 32 pixels."""
LARGE_SIDE, LARGE_OBJECT = 320, 32.0
"""Pixels of larger images, and of the median object in them, from which anchors are the large ones."""


@dataclass(frozen=True)
class Choices:
    """What a config is written from.

    Attributes:
        name: of the run.
        data: the section `data.detection`.
        survey: of these data.
        machine: that trains.
        weights: file of a ResNet-50 to start from, as it was given.
        sizes: of the images in the networks.
        lengths: of the trainings.
    """

    name: str
    data: Mapping[str, Any]
    survey: Survey
    machine: Machine
    weights: str | None
    sizes: Sizes
    lengths: Lengths

    @property
    def recipe(self) -> Recipe:
        """The run that all else is of."""
        return recipe(self.machine, self.weights)

    @property
    def anchor_scale(self) -> int:
        """Of base and pool."""
        large = self.sizes.largest[0] > LARGE_SIDE and self.sizes.median_object >= LARGE_OBJECT
        return LARGE_ANCHOR if large else ANCHOR


def recipe(machine: Machine, weights: str | None) -> Recipe:
    """The run that suits a machine."""
    if machine.device == "cpu":
        return ON_CPU
    return FROM_WEIGHTS if weights else ON_GPU


def run_name(out: Path | None) -> str:
    """A run's name from that of its config file."""
    if out is None:
        return "mine"
    return re.sub(r"[^A-Za-z0-9_.-]", "_", out.stem)[:LONGEST].lstrip(".") or "mine"


def choose(
    given: Given, machine: Machine, weights: str | None, side: int | None, name: str
) -> Choices:
    """Look at the data, and choose what suits them.

    Args:
        given: where they lie.
        machine: that trains.
        weights: file of a ResNet-50 to start from.
        side: longest side of the largest resolution, pixels; None: the recipe's, if the images have it.
        name: of the run.

    Raises:
        DatasetError: lists every defect of the data.
        DetSearchError: the format or the class names cannot be told.
    """
    section = given.section()
    detection = load_config({"data": {"detection": section}}).data.detection.active
    assert isinstance(detection, OwnDetection)
    survey, wanted = look_at(detection), recipe(machine, weights)
    return Choices(
        name=name,
        data=section,
        survey=survey,
        machine=machine,
        weights=weights,
        sizes=Sizes.of(survey, side or wanted.side),
        lengths=Lengths.of(wanted.reference, survey.trained),
    )
