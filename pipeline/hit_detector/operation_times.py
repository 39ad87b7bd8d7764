"""How long operations take at their own shapes: what a search counts in the place of MACs.

A sum of such times is not the latency of a network: it leaves out what runs between the operations, what a
runtime fuses across them, and what one leaves in a cache for the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import nn

from pipeline.artifacts.typed import read_as
from pipeline.detection.complexity import Placed, candidate_places
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.block import Part
from pipeline.search_space.names import OperationName
from pipeline.supernet.choice import choice_layers

FILE_NAME = "operation_times.json"


class OperationTime(Part):
    """The times of an operation at a place, milliseconds, and its multiply-accumulates there."""

    operation: OperationName
    in_channels: PositiveInt
    out_channels: PositiveInt
    stride: Literal[1, 2]
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    """Samples, height and width of the input."""
    macs: PositiveInt
    median: PositiveFloat
    lower_quartile: PositiveFloat
    upper_quartile: PositiveFloat
    least: PositiveFloat
    runs: PositiveInt

    @property
    def place(self) -> Placed:
        """Where it was measured."""
        return Placed(self.operation, self.in_channels, self.out_channels, self.stride, self.shape)


class OperationTimes(Part):
    """Operations that were measured together, and on what. Times of two records do not compare."""

    format: Literal[1] = 1
    runtime: str
    device: str
    threads: PositiveInt
    rounds: PositiveInt
    warm_up: PositiveInt
    seed: NonNegativeInt
    packages: dict[str, str]
    operations: tuple[OperationTime, ...]

    @classmethod
    def load(cls, folder: Path) -> OperationTimes:
        """What `measure_operations` published in a folder.

        Raises:
            ArtifactError: the file is missing, or not what is read here.
        """
        return read_as(folder / FILE_NAME, cls)

    def milliseconds(
        self, places: Mapping[str, Sequence[Sequence[Placed]]]
    ) -> dict[str, list[float]]:
        """The medians of every candidate, summed over its places, by layer.

        Args:
            places: as `candidate_places` gives them.

        Raises:
            DetSearchError: an operation was not measured at a place.
        """
        known = {each.place: each.median for each in self.operations}
        wanted = {place for layer in places.values() for each in layer for place in each}
        for place in sorted(wanted - set(known)):
            raise DetSearchError(
                f"{FILE_NAME} has no time of {place}: it is of other sub search spaces, or of another "
                "shape of the supernet"
            )
        return {
            name: [sum(known[place] for place in each) for each in layer]
            for name, layer in places.items()
        }


def fill_candidate_milliseconds(
    model: nn.Module, architecture: Architecture, proposals: int, times: OperationTimes
) -> None:
    """Set `milliseconds` of every choice layer of a supernet, the model that was built of `architecture`.

    Raises:
        DetSearchError: an operation was not measured where it stands.
    """
    found = times.milliseconds(candidate_places(architecture, proposals))
    for name, layer in choice_layers(model).items():
        layer.milliseconds.copy_(torch.tensor(found[name]))
