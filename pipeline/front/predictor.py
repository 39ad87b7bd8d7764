"""Latency of subnets that were not measured, from what they compute: a regression on some that were.

The model is linear with coefficients that are not negative (Lawson and Hanson's least squares), since more
work takes no less time: a constant, the pixels of the image, the MACs of backbone, of pyramid with RPN, and
of the RoI head, and the number of blocks. Kernels work on channels in blocks and fill up the last one, so
the MACs of backbone and pyramid count twice, with the channels there are and with those of whole blocks: the
measurement finds the mix. Errors count relative to the measured time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat
from scipy.optimize import nnls

from pipeline.config.distillation import Resolution
from pipeline.deploy.latency import Latencies
from pipeline.errors import DetSearchError
from pipeline.front.judging import complexity_at
from pipeline.search_space.architecture import Architecture, FpnNeck, ResNetBackbone
from pipeline.search_space.block import Part
from pipeline.teacher_pool.space import Subnet

PREDICTOR = "predictor.json"
FOLDS = 5
FEATURES = (
    "constant",
    "pixels",
    "backbone",
    "pyramid",
    "filled_backbone",
    "filled_pyramid",
    "head",
    "blocks",
)
UNITS = np.array([1.0, 1e6, 1e9, 1e9, 1e9, 1e9, 1e9, 1.0])
"""What a coefficient is milliseconds per."""
CHANNEL_BLOCK = 16
"""Channels that a kernel takes at once: float32 numbers of a 512-bit register, and a multiple of what
narrower ones and a GPU's matrix units take."""


class Work(Part):
    """What the time of a subnet is predicted from.

    Attributes:
        pixels: of its image.
        backbone: MACs.
        pyramid: MACs of neck and RPN.
        filled_backbone: MACs, were every number of channels a multiple of `CHANNEL_BLOCK`.
        filled_pyramid: the same of neck and RPN.
        head: MACs.
        blocks: of the backbone.
    """

    pixels: int
    backbone: int
    pyramid: int
    filled_backbone: int
    filled_pyramid: int
    head: int
    blocks: int

    @classmethod
    def of(cls, network: Architecture, resolution: Resolution, proposals: int) -> Work:
        """Of a detector on a ResNet.

        Args:
            network: the detector.
            resolution: of an image, longest and shortest side, pixels.
            proposals: RoIs that its head processes.

        Raises:
            DetSearchError: it is something else, whose time the pool's subnets do not tell.
        """
        backbone = network.backbone
        if not isinstance(backbone, ResNetBackbone) or network.family != "faster_rcnn":
            raise DetSearchError(
                "latency is predicted from subnets of the teacher pool, which are ResNets with FPN: the "
                f"network is a {network.family} on {backbone.type}; count macs"
            )
        macs, filled = (
            {name: cost.macs for name, cost in found.components.items()}
            for found in (
                complexity_at(network, resolution, proposals),
                complexity_at(with_filled_channels(network), resolution, proposals),
            )
        )
        return cls(
            pixels=math.prod(resolution),
            backbone=macs["backbone"],
            pyramid=macs["neck"] + macs["rpn"],
            filled_backbone=filled["backbone"],
            filled_pyramid=filled["neck"] + filled["rpn"],
            head=macs["head"],
            blocks=sum(len(stage) for stage in backbone.stages),
        )

    @property
    def macs(self) -> int:
        """Of the whole detector, with the channels that it has."""
        return self.backbone + self.pyramid + self.head

    @property
    def row(self) -> NDArray[np.float64]:
        """The features in their units."""
        counted = [1, *(getattr(self, name) for name in FEATURES[1:])]
        return np.array(counted, np.float64) / UNITS


def with_filled_channels(network: Architecture) -> Architecture:
    """A detector on a ResNet with every number of channels of backbone, FPN and RPN filled up.

    Each is raised to the next multiple of `CHANNEL_BLOCK`, so equal numbers stay equal; in layers of
    several groups to one that the groups divide. A neck of another kind stays as it is.
    """
    backbone, neck, rpn = network.backbone, network.neck, network.rpn
    assert isinstance(backbone, ResNetBackbone) and rpn is not None
    stages = tuple(
        tuple(
            block.model_copy(
                update={
                    "channels": _filled(block.channels),
                    "mid_channels": _filled(block.mid_channels, block.groups),
                }
            )
            for block in stage
        )
        for stage in backbone.stages
    )
    update: dict[str, Part] = {
        "backbone": backbone.model_copy(
            update={"stem_channels": _filled(backbone.stem_channels), "stages": stages}
        ),
        "rpn": rpn.model_copy(update={"channels": _filled(rpn.channels)}),
    }
    if isinstance(neck, FpnNeck):
        channels = _filled(neck.channels, neck.norm_groups or 1)
        update["neck"] = neck.model_copy(update={"channels": channels})
    return network.model_copy(update=update)


def _filled(channels: int, groups: int = 1) -> int:
    whole = math.lcm(CHANNEL_BLOCK, groups)
    return math.ceil(channels / whole) * whole


class Measured(Part):
    """A subnet with its work and its measured median, milliseconds."""

    subnet: Subnet
    work: Work
    milliseconds: float = Field(gt=0)


class Predictor(Part):
    """The regression, and how far off it is.

    Attributes:
        coefficients: of `FEATURES`: milliseconds, per million pixels, per GMAC five times, per block.
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
