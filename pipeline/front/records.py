"""What the search for a front writes down: subnets with their numbers, and generations. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from pipeline.artifacts.files import json_bytes
from pipeline.front.selection import Points
from pipeline.search_space.block import Part
from pipeline.teacher_pool.space import Subnet

GENERATION, EVALUATIONS = "generation.json", "evaluations.json"


class Evaluated(Part):
    """A subnet on the images of val that the search uses.

    Attributes:
        subnet: of the pool, with recalibrated batch statistics.
        ap: COCO's AP, in [0, 1].
        macs: of one image that fills the subnet's resolution.
        milliseconds: predicted for one image; `None` where no latency is measured.
    """

    subnet: Subnet
    ap: float = Field(ge=0, le=1)
    macs: PositiveInt
    milliseconds: PositiveFloat | None = None

    @property
    def cost(self) -> float:
        """Milliseconds, or without them MACs."""
        return self.milliseconds or float(self.macs)


class Generation(Part):
    """The search before a generation's evaluations.

    Attributes:
        evaluated: every subnet of the generations before, in the order in which they were proposed.
        offspring: those to evaluate; none after the last generation.
    """

    format: Literal[1] = 1
    evaluated: tuple[Evaluated, ...] = ()
    offspring: tuple[Subnet, ...] = ()


class Shard(Part):
    """A share of a generation's evaluations."""

    format: Literal[1] = 1
    evaluated: tuple[Evaluated, ...]


def points(evaluated: Sequence[Evaluated]) -> Points:
    """(N, 2): cost and minus AP of each."""
    return np.array([[each.cost, -each.ap] for each in evaluated]).reshape(-1, 2)


def record_bytes(record: Part) -> bytes:
    """The content of a record's file."""
    return json_bytes(record.model_dump(mode="json"))
