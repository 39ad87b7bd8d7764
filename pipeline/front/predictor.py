"""Latency of subnets that were not measured, from what they compute: a regression on some that were.

The model is linear with coefficients that are not negative (Lawson and Hanson's least squares), since more
work takes no less time: a constant, the pixels of the image, the MACs of backbone, of pyramid with RPN, and
of the RoI head, and the number of blocks. Errors count relative to the measured time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat
from scipy.optimize import nnls

from pipeline.deploy.latency import Latencies
from pipeline.detection.complexity import Complexity
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import Architecture, ResNetBackbone
from pipeline.search_space.block import Part
from pipeline.teacher_pool.space import Subnet

PREDICTOR = "predictor.json"
FOLDS = 5
FEATURES = ("constant", "pixels", "backbone", "pyramid", "head", "blocks")
UNITS = np.array([1.0, 1e6, 1e9, 1e9, 1e9, 1.0])
"""What a coefficient is milliseconds per."""


class Work(Part):
    """What the time of a subnet is predicted from.

    Attributes:
        pixels: of its image.
        backbone: MACs.
        pyramid: MACs of neck and RPN.
        head: MACs.
        blocks: of the backbone.
    """

    pixels: int
    backbone: int
    pyramid: int
    head: int
    blocks: int

    @classmethod
    def of(cls, subnet: Subnet, complexity: Complexity) -> Work:
        """Of a subnet with its costs at its own resolution."""
        return cls._counted(math.prod(subnet.resolution), sum(subnet.depths), complexity)

    @classmethod
    def of_network(cls, network: Architecture, complexity: Complexity) -> Work:
        """Of any detector on a ResNet, with its costs at an image of its architecture's size.

        Raises:
            DetSearchError: it is something else, whose time the pool's subnets do not tell.
        """
        backbone = network.backbone
        if not isinstance(backbone, ResNetBackbone) or network.family != "faster_rcnn":
            raise DetSearchError(
                "latency is predicted from subnets of the teacher pool, which are ResNets with FPN: the "
                f"network is a {network.family} on {backbone.type}; count macs"
            )
        blocks = sum(len(stage) for stage in backbone.stages)
        return cls._counted(math.prod(network.input_size), blocks, complexity)

    @classmethod
    def _counted(cls, pixels: int, blocks: int, complexity: Complexity) -> Work:
        macs = {name: cost.macs for name, cost in complexity.components.items()}
        return cls(
            pixels=pixels,
            backbone=macs["backbone"],
            pyramid=macs["neck"] + macs["rpn"],
            head=macs["head"],
            blocks=blocks,
        )

    @property
    def row(self) -> NDArray[np.float64]:
        """The features in their units."""
        counted = (1, self.pixels, self.backbone, self.pyramid, self.head, self.blocks)
        return np.array(counted, np.float64) / UNITS


class Measured(Part):
    """A subnet with its work and its measured median, milliseconds."""

    subnet: Subnet
    work: Work
    milliseconds: float = Field(gt=0)


class Predictor(Part):
    """The regression, and how far off it is.

    Attributes:
        coefficients: of `FEATURES`: milliseconds, per million pixels, per GMAC three times, per block.
        median_error: of held-out subnets, relative: the median over all, each predicted by a regression
            on the other folds.
        worst_error: the greatest of these.
        measured: what it was fitted to.
        latencies: the record of the measurement.
    """

    coefficients: tuple[NonNegativeFloat, ...] = Field(
        min_length=len(FEATURES), max_length=len(FEATURES)
    )
    median_error: NonNegativeFloat
    worst_error: NonNegativeFloat
    measured: tuple[Measured, ...]
    latencies: Latencies

    def milliseconds(self, work: Work) -> float:
        """The predicted time of an image."""
        return float(work.row @ np.array(self.coefficients))


def fit_predictor(measured: Sequence[Measured], latencies: Latencies) -> Predictor:
    """Fit on all, and try on held-out folds.

    Raises:
        DetSearchError: too few were measured.
    """
    if len(measured) < 2 * FOLDS:
        raise DetSearchError(
            f"a predictor needs at least {2 * FOLDS} measured subnets, not {len(measured)}"
        )
    rows = np.stack([each.work.row for each in measured])
    times = np.array([each.milliseconds for each in measured])
    fold = np.arange(len(times)) % FOLDS
    predicted = np.empty_like(times)
    for number in range(FOLDS):
        held = fold == number
        predicted[held] = rows[held] @ _fit(rows[~held], times[~held])
    errors = np.abs(predicted / times - 1)
    return Predictor(
        coefficients=tuple(_fit(rows, times).tolist()),
        median_error=float(np.median(errors)),
        worst_error=float(errors.max()),
        measured=tuple(measured),
        latencies=latencies,
    )


def _fit(rows: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients that are not negative, of least squared relative error."""
    coefficients, _ = nnls(rows / times[:, None], np.ones_like(times))
    return coefficients
