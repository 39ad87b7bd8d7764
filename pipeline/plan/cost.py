"""What a network takes of a device: computation, parameters, memory."""

from __future__ import annotations

from dataclasses import dataclass

FLOAT = 4
"""Bytes of a number."""


@dataclass(frozen=True)
class Work:
    """Computation, by what it takes of a device.

    Attributes:
        macs: multiply-accumulates.
        depthwise: those of them that depthwise convolutions do.
        normalised: numbers that batch normalisations put out in training.
    """

    macs: float = 0.0
    depthwise: float = 0.0
    normalised: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.macs + other.macs,
            self.depthwise + other.depthwise,
            self.normalised + other.normalised,
        )

    def __mul__(self, factor: float) -> Work:
        return Work(self.macs * factor, self.depthwise * factor, self.normalised * factor)


@dataclass(frozen=True)
class Footprint:
    """What a part of a network takes, for one image.

    Attributes:
        params: parameters.
        macs: multiply-accumulates of a forward pass.
        kept: bytes that autograd keeps of a forward pass for the backward pass, parameters left out.
        depthwise: those of `macs` that depthwise convolutions do.
        normalised: numbers that batch normalisations put out in a forward pass.
    """

    params: float = 0.0
    macs: float = 0.0
    kept: float = 0.0
    depthwise: float = 0.0
    normalised: float = 0.0

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(
            self.params + other.params,
            self.macs + other.macs,
            self.kept + other.kept,
            self.depthwise + other.depthwise,
            self.normalised + other.normalised,
        )

    def times(self, params: float, macs: float, kept: float) -> Footprint:
        """Parameters, computation of every kind and bytes, each times a factor."""
        return Footprint(
            self.params * params,
            self.macs * macs,
            self.kept * kept,
            self.depthwise * macs,
            self.normalised * macs,
        )

    @property
    def work(self) -> Work:
        """The computation of a forward pass."""
        return Work(self.macs, self.depthwise, self.normalised)


@dataclass(frozen=True)
class TrainingCost:
    """A network in training, for one image.

    Attributes:
        whole: all of it, as a step runs it.
        again: what the backward pass computes a second time.
        in_flight: bytes that its backward pass holds at its peak beyond what autograd keeps: gradients on
            their way from one operator to the next.
        looking: bytes that a forward pass holds at its peak where nothing is kept for a backward pass.
    """

    whole: Footprint
    again: Work = Work()
    in_flight: float = 0.0
    looking: float = 0.0

    @property
    def step_macs(self) -> float:
        """Multiply-accumulates of a step."""
        return self.step.macs

    @property
    def step(self) -> Work:
        """Forward and backward pass: the backward pass takes twice the forward's."""
        return self._passes(3)

    @property
    def architecture_step(self) -> Work:
        """The same where α alone gets gradients: the backward pass takes as much as the forward's."""
        return self._passes(2)

    @property
    def tested(self) -> Work:
        """A forward pass that is not trained: batch normalisation is part of the convolutions' time."""
        return Work(self.whole.macs, self.whole.depthwise)

    def _passes(self, number: int) -> Work:
        forward = self.whole.work
        return (
            Work(number * forward.macs, number * forward.depthwise, forward.normalised) + self.again
        )
