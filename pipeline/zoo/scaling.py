"""A network of the zoo at another scale: fewer channels, other classes, another input size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import Architecture

CHANNELS = {
    "channels",
    "mid_channels",
    "norm_groups",
    "stem_channels",
    "last_channels",
    "fc_channels",
    "point_channels",
    "convs",
    "fcs",
    "class_tower",
    "box_tower",
}
"""Keys of the architecture format that count channels, or groups of as many channels as before."""


def scaled(
    architecture: Architecture,
    *,
    width: float,
    head_width: float,
    classes: int,
    input_size: tuple[int, int],
    anchor_scale: int | None = None,
) -> Architecture:
    """The same network with all channels multiplied.

    Args:
        architecture: any network.
        width: factor of the backbone's channels.
        head_width: factor of the channels of neck, RPN and head.
        classes: number of object classes.
        input_size: (height, width) in pixels at which costs are stated.
        anchor_scale: of the RPN or of a one-stage head that has one, in units of the level's stride; by
            default as it is.

    Raises:
        DetSearchError: some channels would not be whole, or no longer divide into their groups.
    """
    content = architecture.model_dump(mode="json")
    for part in ("backbone", "neck", "rpn", "head"):
        factor = width if part == "backbone" else head_width
        content[part] = _multiplied(content[part], factor, part)
    content |= {"classes": classes, "input_size": list(input_size)}
    if anchor_scale is not None:
        part = content["head" if content["rpn"] is None else "rpn"]
        # heads without such anchors have no scale of them
        if "anchor_scale" in part:
            part["anchor_scale"] = anchor_scale
    try:
        return Architecture.model_validate(content)
    except ValidationError as error:
        raise DetSearchError(
            f"width {width} and head_width {head_width} do not fit the network: "
            + "; ".join(problem["msg"] for problem in error.errors())
        ) from None


def channel_counts(value: Any, counts: bool = False) -> Iterator[int]:
    """All numbers of channels in a part of an architecture, as JSON has it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from channel_counts(inner, key in CHANNELS)
    elif isinstance(value, list):
        for inner in value:
            yield from channel_counts(inner, counts)
    elif counts and value is not None:
        yield value


def _multiplied(value: Any, factor: float, place: str, counts: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            key: _multiplied(inner, factor, f"{place}.{key}", key in CHANNELS)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_multiplied(inner, factor, place, counts) for inner in value]
    if not counts or value is None:
        return value
    product = value * factor
    if product != round(product) or product < 1:
        raise DetSearchError(
            f"{place}: {value} channels times {factor:g} are {product:g}, not whole"
        )
    return round(product)
