"""The papers' parameters and FLOPs, beside what the architecture files of the zoo cost here.

Both papers counted with mmdetection 1.x: a RoI head regresses a box for the background too, and
"FLOPs" are those of `Cost.paper_flops`; the head processes 1000 proposals. Hit-Detector's 800 × 1200
is padded to 800 × 1216, a multiple of 32; its rows of NAS-FPN are counted at 768 × 1280. Joint-DetNAS
counts at 800 × 1333 as it is; its ResNeXt and its backbones alone at 800 × 1280.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Literal

from pipeline.artifacts.csv_file import csv_bytes
from pipeline.detection.complexity import Complexity, detector_complexity
from pipeline.zoo.architectures import NAMES, zoo_architecture

PROPOSALS = 1000

Size = tuple[int, int]
HIT: Size = (800, 1216)
HIT_CELLS: Size = (768, 1280)
JOINT: Size = (800, 1333)
JOINT_SHORT: Size = (800, 1280)


@dataclass(frozen=True)
class Figure:
    """A printed figure.

    Attributes:
        source: paper and table.
        network: name in the zoo; what the paper calls it, where the zoo has none.
        part: `total`, or a component.
        quantity: `params` (in millions) or `flops` (in the papers' convention, in billions).
        printed: as the paper prints it.
        size: (height, width) of the image, in pixels.
        stated: whether the paper, what it cites and the code that its authors released state the
            network well enough to check the figure.
        note: what is particular; of a figure that is not met, why.
    """

    source: str
    network: str
    part: str
    quantity: Literal["params", "flops"]
    printed: str
    size: Size = HIT
    stated: bool = True
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """A row of the table: a printed figure, and ours rounded to the digits that the paper prints.

    Ours is empty where the zoo has no such network.

    `difference_percent` is of `ours` over `paper`; `unrounded` is ours with all digits, and
    `unrounded_difference_percent` its difference, which the paper's rounding bounds from below.
    `stated` and `note` are those of the `Figure`.
    """

    network: str
    quantity: str
    paper: str
    ours: str
    difference_percent: str
    unrounded: str
    unrounded_difference_percent: str
    source: str
    input_size: str
    stated: str
    note: str


def _parts(source: str, network: str, **printed: str) -> list[Figure]:
    return [Figure(source, network, part, "params", value) for part, value in printed.items()]


def _totals(
    source: str, network: str, params: str, flops: str, size: Size = HIT, note: str = ""
) -> list[Figure]:
    return [
        Figure(source, network, "total", "params", params, size, note=note),
        Figure(source, network, "total", "flops", flops, size, note=note),
    ]


def _unknown(source: str, network: str, note: str, **printed: str) -> list[Figure]:
    return [
        Figure(source, network, "total", quantity, value, stated=False, note=note)  # type: ignore[arg-type]
        for quantity, value in printed.items()
    ]


_HIT_1, _HIT_2, _HIT_6 = (f"Hit-Detector, Table {number}" for number in (1, 2, 6))
_JOINT_2, _JOINT_4, _JOINT_7 = (f"Joint-DetNAS, Table {number}" for number in (2, 4, 7))

_FBNET = "the pyramid reads the 1984 channels of the last convolution"
_DETNAS = "the pyramid reads the 1024 channels of the last convolution"
_CELLS = (
    "the size is found, not stated: NAS-FPN as its authors released it refuses sizes that are no "
    "multiples of 64"
)
_NATS = (
    "NATS gives groups of a convolution's channels other dilations, which changes neither figure: "
    "counted is FPN with ResNet-50; the searched dilations are not released"
)
_MOBILE = (
    "such a network has fewer; the figure is MobileNetV2 with the neck and the head of the ResNet-50 "
    "RetinaNet, which do not fit its channels"
)
_SSD = "SSD512 with VGG-16; the table calls it VGG19, with which it would have 41.35 M"
_AUTO_FPN = "its paper draws the searched neck and head, and states them nowhere as data"
_UNRELEASED = "the searched network was not released"
_QUOTED = "quoted, with neither the network's head nor the input size nor what was counted"
_QUOTED_CELLS = (
    "quoted from NAS-FPN: a RetinaNet at 640 x 640 with 90 classes in another framework, two FLOPs "
    "for each multiply-accumulate, and what else it counts is not stated"
)

FIGURES: tuple[Figure, ...] = (
    *_parts(_HIT_1, "fpn_r50_2fc", backbone="23.5", neck="3.3", head="14.3"),
    *_parts(_HIT_1, "fpn_r50_4conv1fc", backbone="23.5", neck="3.3", head="15.6"),
    *_parts(_HIT_1, "nas_fpn_r50", backbone="23.5", neck="30.4", head="14.3"),
    *_parts(_HIT_1, "fpn_detnas_1_3g", backbone="9.4", neck="2.8", head="15.6"),
    *_parts(_HIT_1, "nas_fpn_detnas_1_3g", backbone="9.4", neck="29.7", head="15.6"),
    *_parts(_HIT_1, "hit_detector_released", backbone="13.9", neck="2.7", head="9.9"),
    *_totals(_HIT_2, "fpn_r50_2fc", "41.76", "197.4"),
    *_totals(_HIT_2, "fpn_mobilenetv2", "19.61", "116.94"),
    *_totals(_HIT_2, "fpn_x101_32x4d", "60.38", "273.3"),
    *_totals(_HIT_2, "fpn_fbnet_c", "21.40", "119.0", note=_FBNET),
    *_totals(_HIT_2, "fpn_detnas_1_3g", "28.45", "254.1", note=_DETNAS),
    *_totals(_HIT_2, "nas_fpn_r50", "68.86", "616.9", HIT_CELLS, _CELLS),
    *_totals(_HIT_2, "nas_fpn_detnas_1_3g", "55.29", "672.9", HIT_CELLS, _CELLS),
    *_totals(_HIT_2, "fpn_r50_2fc", "41.76", "197.4", note=_NATS),
    *_unknown(_HIT_2, "Auto-FPN", _AUTO_FPN, params="32.64", flops="476.6"),
    *_totals(_HIT_2, "hit_detector_released", "27.12", "272.3"),
    Figure(_HIT_6, "ssd_vgg16", "total", "params", "36.04", (512, 512), note=_SSD),
    *_unknown(_HIT_6, "retinanet_mobilenetv2", _MOBILE, params="16.68"),
    Figure(_HIT_6, "retinanet_r50", "total", "params", "37.97"),
    *_unknown(_HIT_6, "Hit-Detector, one-stage", _UNRELEASED, params="33.05"),
    Figure(_JOINT_2, "fpn_r50_2fc", "backbone", "flops", "84.1", JOINT_SHORT),
    Figure(_JOINT_2, "fpn_r101", "backbone", "flops", "160.2", JOINT_SHORT),
    Figure(_JOINT_4, "fpn_r18", "total", "flops", "160.5", JOINT),
    Figure(_JOINT_4, "fpn_r50_2fc", "total", "flops", "215.8", JOINT),
    Figure(_JOINT_4, "fpn_r101", "total", "flops", "295.7", JOINT),
    Figure(_JOINT_4, "fpn_x101_32x4d", "total", "flops", "286.9", JOINT_SHORT),
    Figure(_JOINT_7, "fpn_detnas_1_3g", "total", "flops", "289.4", JOINT, False, _QUOTED),
    *_unknown(_JOINT_7, "NAS-FPN (R50-7@256)", _QUOTED_CELLS, flops="281.3"),
)
"""Every figure of these tables that a network of the zoo answers for, and those of other methods.
docs/reference/published_numbers.md names the figures that are left out, and why."""

_NAMES = {"params": "parameters (M)", "flops": "FLOPs (G)"}
_UNITS = {"params": 10**6, "flops": 10**9}


def published_complexity(network: str, size: Size) -> Complexity:
    """The cost of a network of the zoo as the papers count it, for one image of `size`."""
    return detector_complexity(zoo_architecture(network), PROPOSALS, size, background_boxes=True)


def compare(figures: Iterable[Figure] = FIGURES) -> list[Comparison]:
    """Each figure beside ours, in the same order."""
    complexity = cache(published_complexity)
    rows = []
    for figure in figures:
        part = "" if figure.part == "total" else f"{figure.part} "
        ours = difference = unrounded = unrounded_difference = ""
        if figure.network in NAMES:
            costs = complexity(figure.network, figure.size)
            cost = costs.total if figure.part == "total" else costs.components[figure.part]
            count = cost.params if figure.quantity == "params" else cost.paper_flops
            exact, paper = Decimal(count) / _UNITS[figure.quantity], Decimal(figure.printed)
            rounded = exact.quantize(paper, ROUND_HALF_EVEN)
            ours, difference = str(rounded), _percent(rounded, paper)
            unrounded, unrounded_difference = str(exact), _percent(exact, paper)
        height, width = figure.size
        rows.append(
            Comparison(
                network=figure.network,
                quantity=f"{part}{_NAMES[figure.quantity]}",
                paper=figure.printed,
                ours=ours,
                difference_percent=difference,
                unrounded=unrounded,
                unrounded_difference_percent=unrounded_difference,
                source=figure.source,
                input_size=f"{height}x{width}",
                stated="yes" if figure.stated else "no",
                note=figure.note,
            )
        )
    return rows


def comparison_csv(rows: Iterable[Comparison]) -> bytes:
    """The comparisons as a CSV file in UTF-8."""
    names = [field.name for field in fields(Comparison)]
    return csv_bytes(names, ([getattr(row, name) for name in names] for row in rows))


def _percent(ours: Decimal, paper: Decimal) -> str:
    return f"{100 * (ours - paper) / paper:.4f}"
