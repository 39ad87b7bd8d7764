"""How long a user's data are trained on: as many steps as a reference run takes, whatever their number."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_EPOCHS = 2
MOST_EPOCHS = 100
"""Of the longest training: a network that has seen each of a few images so often learns them by heart."""


@dataclass(frozen=True)
class Reference:
    """A run whose numbers of steps are taken over.

    Attributes:
        images: that it trains on.
        batch: images a step.
        base: epochs of the base detector.
        phases: epochs of the pool: of the largest net alone, and of all depths and widths.
    """

    images: int
    batch: int
    base: int
    phases: tuple[int, int]


@dataclass(frozen=True)
class Lengths:
    """Epochs, and images a step.

    Attributes:
        batch: as in the reference, or all images.
        base: epochs of the base detector.
        phases: epochs of the pool's.
        steps: of an epoch; what is left over of the images is dropped.
    """

    batch: int
    base: int
    phases: tuple[int, int]
    steps: int

    @classmethod
    def of(cls, reference: Reference, images: int) -> Lengths:
        """Those of a number of images, at least one."""
        batch = min(reference.batch, images)
        steps = images // batch
        wanted = (reference.base, *reference.phases)
        factor = min(reference.images // reference.batch / steps, MOST_EPOCHS / max(wanted))
        base, first, second = (max(LEAST_EPOCHS, round(epochs * factor)) for epochs in wanted)
        return cls(batch, base, (first, second), steps)
