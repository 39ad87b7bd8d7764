"""A watch on a detector's losses of boxes: exactly zero for an epoch, they say that no object arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.errors import DetSearchError

# mmdet's names: of the RPN, of a head, and of each stage of a cascade
_OF_BOXES = re.compile(r"(s\d+\.)?loss_(rpn_)?bbox")


class NoObjectsError(DetSearchError):
    """A detector was trained for an epoch without an object."""


class BoxLosses:
    """Watches the losses of a training.

    Every true box has an anchor and a proposal to be regressed from, so their losses are never exactly
    zero where there is one.

    Args:
        title: of the training.
        epoch_length: iterations of an epoch.
    """

    def __init__(self, title: str, epoch_length: int) -> None:
        self.title, self.epoch_length = title, epoch_length
        self._greatest: dict[str, float] | None = None

    def note(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Take in the numbers of a step, agreed among all processes.

        Args:
            iteration: of the step, from 0. A training that goes on within an epoch is watched from the
                next one.
            numbers: the step's.

        Raises:
            NoObjectsError: an epoch has ended in which a loss of boxes was always zero.
        """
        if iteration % self.epoch_length == 0:
            self._greatest = {}
        if self._greatest is None:
            return
        for name, value in numbers.items():
            if _OF_BOXES.fullmatch(name):
                self._greatest[name] = max(self._greatest.get(name, 0.0), abs(value))
        if (iteration + 1) % self.epoch_length:
            return
        if zero := sorted(name for name, value in self._greatest.items() if value == 0):
            raise NoObjectsError(
                f"{self.title}: {', '.join(zero)} was exactly 0 for the whole of epoch "
                f"{(iteration + 1) // self.epoch_length}: no object arrives in training; look at the "
                "boxes of the training annotations, and at detector.image_scale"
            )
