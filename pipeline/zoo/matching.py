"""A network of the zoo made as wide as a cost allows: a plain network to compare a searched one with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from math import gcd, log

from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import Architecture
from pipeline.zoo.scaling import channel_counts, scaled

GREATEST = 16.0
"""Widths above this are not tried."""
FARTHEST = 4
"""Steps of the backbone's width to either side of equal widths that are tried."""


def matched(
    network: Architecture,
    macs: int,
    proposals: int,
    *,
    tolerance: float,
    classes: int,
    input_size: tuple[int, int],
    anchor_scale: int | None = None,
) -> Architecture:
    """The network with its channels multiplied so that it costs `macs`.

    Channels are whole numbers, so one factor for all of them can seldom meet a cost. Backbone and
    the rest have a factor each: among the pairs that meet it, the one whose factors differ least.

    Args:
        network: any network.
        macs: multiply-accumulates of one image.
        proposals: RoIs at which they are counted, in a two-stage detector.
        tolerance: greatest difference of the MACs, as a share of `macs`.
        classes: number of object classes.
        input_size: (height, width) in pixels at which costs are stated.
        anchor_scale: as in `scaled`.

    Returns:
        The network; its provenance holds both factors and its MACs.

    Raises:
        DetSearchError: no widths meet the cost.
    """

    def at(width: float, head_width: float) -> Architecture:
        return scaled(
            network,
            width=width,
            head_width=head_width,
            classes=classes,
            input_size=input_size,
            anchor_scale=anchor_scale,
        )

    @cache
    def cost(width: float, head_width: float) -> int:
        return detector_complexity(at(width, head_width), proposals).total.macs

    backbone, rest = _steps(network, at)
    alike = _largest(lambda width: cost(_near(width, backbone), _near(width, rest)), macs, rest)
    equal = max(1, round(alike / backbone))
    best: tuple[float, float, float] | None = None
    nearest = cost(equal * backbone, _near(alike, rest))
    for number in _outwards(equal):
        width = number * backbone
        # those still to come differ more
        if best is not None and abs(log(width / alike)) > best[0]:
            break
        below = _largest(lambda head_width, width=width: cost(width, head_width), macs, rest)
        for head_width in (below, below + rest):
            found = cost(width, head_width)
            nearest = min(nearest, found, key=lambda each: abs(each - macs))
            apart = abs(log(width / head_width))
            if abs(found - macs) <= tolerance * macs and (best is None or apart < best[0]):
                best = (apart, width, head_width)
    if best is None:
        raise DetSearchError(
            f"at no width has the plain network {macs:,} MACs within {100 * tolerance:g} %; the nearest "
            f"has {nearest:,}: raise ablations.random.tolerance, or choose another ablations.random.plain"
        )
    _, width, head_width = best
    provenance = {
        "method": "scaled",
        "width": width,
        "head_width": head_width,
        "macs": cost(width, head_width),
        "searched_macs": macs,
    }
    return at(width, head_width).model_copy(update={"provenance": provenance})


def _steps(
    network: Architecture, at: Callable[[float, float], Architecture]
) -> tuple[float, float]:
    """The smallest factors of the backbone and of the rest whose multiples keep all channels whole."""
    content = network.model_dump(mode="json")
    return (
        _step(content["backbone"], lambda width: at(width, 1.0)),
        _step([content["neck"], content["rpn"], content["head"]], lambda width: at(1.0, width)),
    )


def _step(part: object, fits: Callable[[float], Architecture]) -> float:
    common = gcd(*channel_counts(part))
    for step in range(1, common):
        if common % step == 0:
            try:
                # groups of channels may ask for more than whole numbers
                fits(step / common)
            except DetSearchError:
                continue
            return step / common
    return 1.0


def _near(width: float, step: float) -> float:
    return max(1, round(width / step)) * step


def _largest(cost: Callable[[float], int], macs: int, step: float) -> float:
    """The largest multiple of a step whose cost is at most `macs`; the first, where that costs more."""
    low, high = 1, 2
    while cost(high * step) <= macs and high * step < GREATEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if cost(middle * step) <= macs:
            low = middle
        else:
            high = middle
    return low * step


def _outwards(middle: int) -> Iterator[int]:
    """Numbers from 1 on by their distance from the middle."""
    yield middle
    for distance in range(1, FARTHEST + 1):
        yield middle + distance
        if middle - distance >= 1:
            yield middle - distance
