"""Accuracy over computation of every network, drawn to be walked through by pointer or keyboard.

There is no script. A point shows what it is while the pointer rests on it or the keyboard's focus does, and
boxes above the drawing hide the points of a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

from pipeline.report.detections import Box, overlap
from pipeline.report.formats import macs_unit, percent, scaled
from pipeline.report.svg import (
    GRID,
    INK,
    MUTED,
    PAPER,
    SERIES,
    Figure,
    document,
    element,
    text,
    text_width,
)

WIDTH, HEIGHT = 720.0, 380.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 24.0, 18.0, 44.0
"""Margins of the plot."""
SIZE = 12.0
ROOM = 0.12
"""Beyond the outermost points, a share of their range."""
STYLE = (
    ".tip{visibility:hidden;pointer-events:none}.dot{outline:none}.dot:hover .tip,.dot:focus .tip"
    "{visibility:visible}.dot:focus .mark,.dot:hover .mark{stroke-width:3}"
    "@media print{.tip{visibility:hidden!important}}"
)
"""In the drawing itself, so that its file does the same."""


RING = "box-sizing:border-box;border:2px solid;border-color"


@dataclass(frozen=True)
class Kind:
    """Points that are shown alike and hidden together.

    Attributes:
        named: whether their names stand beside them.
        hollow: whether they are rings.
    """

    id: str
    title: str
    colour: str
    radius: float = 5.5
    named: bool = False
    hollow: bool = False


FOUND = Kind("found", "found by a search", SERIES[0], named=True)
COMPARED = Kind("compared", "to compare with", MUTED, named=True)
RANDOM = Kind("random", "random, each the mean of its seeds", SERIES[1])
CANDIDATE = Kind(
    "candidate", "candidates of Joint-DetNAS, on validation images, trained briefly", SERIES[3], 4.0
)
OF_FRONT = Kind("front", "subnets of the pool's front", SERIES[2])
SUBNET = Kind("subnet", "subnets of the pool, on the front", SERIES[1])
SUBNET_DOMINATED = Kind(
    "subnet-dominated", "subnets that another detector dominates", SERIES[1], hollow=True
)
STOCK = Kind("stock", "trained alone, on the front", SERIES[0], named=True)
STOCK_DOMINATED = Kind(
    "stock-dominated", "trained alone, dominated", SERIES[0], named=True, hollow=True
)
KINDS = (
    *(CANDIDATE, RANDOM, OF_FRONT, SUBNET_DOMINATED, STOCK_DOMINATED),
    *(SUBNET, COMPARED, STOCK, FOUND),
)
"""From the lowest to the topmost."""


@dataclass(frozen=True)
class Point:
    """A network: what it is, its cost (MACs, or seconds of an image), its AP as a fraction, and a note."""

    name: str
    kind: Kind
    cost: float
    AP: float
    note: str = ""


@dataclass(frozen=True)
class Cost:
    """What the horizontal axis shows.

    Attributes:
        title: of the axis.
        factor: from a point's cost to the axis.
        told: a point's cost in words.
    """

    title: str
    factor: float
    told: Callable[[float], str]


TIME = Cost("milliseconds an image", 1e3, lambda seconds: f"{1e3 * seconds:.2f} ms")


def scatter(
    name: str, title: str, points: Sequence[Point], cost: Cost | None = None
) -> tuple[Markup, Figure]:
    """Boxes that hide the kinds of points, and the drawing.

    Args:
        name: of the file.
        title: says what is drawn.
        points: in the order in which the keyboard walks through those of a kind.
        cost: of the horizontal axis; MACs where None.
    """
    if cost is None:
        unit, factor = macs_unit(max(point.cost for point in points))
        cost = Cost(unit, factor, lambda macs: f"{scaled(macs)} MACs")
    across = _Axis([cost.factor * point.cost for point in points], LEFT, WIDTH - RIGHT)
    up = _Axis([100 * point.AP for point in points], HEIGHT - BOTTOM, TOP)
    body = [element("style", STYLE), *_frame(across, up, cost.title)]
    kinds = [kind for kind in KINDS if any(point.kind == kind for point in points)]
    placed = [
        (point, across.place(cost.factor * point.cost), up.place(100 * point.AP))
        for kind in kinds
        for point in points
        if point.kind == kind
    ]
    marks = [_mark(point, x, y) for point, x, y in placed]
    taken: list[Box] = []
    for number, (point, x, y) in enumerate(placed):
        others = marks[:number] + marks[number + 1 :]
        body.append(_dot(point, cost.told(point.cost), x, y, taken, others))
    figure = Figure(
        name, document(WIDTH, HEIGHT, body, title), title, WIDTH, scrolls=True, role="group"
    )
    boxes = Markup("").join(
        Markup(
            '<label><input type="checkbox" id="show-{0}" checked> <i style="{1}:{2}"></i>{3}</label>'
        ).format(kind.id, RING if kind.hollow else "background", kind.colour, kind.title)
        for kind in kinds
    )
    return Markup('<p class="kinds">{}</p>').format(boxes), figure


class _Axis:
    """From values to places between two ends, with some room beside the outermost values."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        low, high = min(values), max(values)
        room = ROOM * ((high - low) or abs(high) or 1.0)
        self.low, self.high = max(0.0, low - room), high + room
        self.begin, self.end = begin, end
        ticks = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        self.ticks = [float(tick) for tick in ticks if self.low <= tick <= self.high]

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def _frame(across: _Axis, up: _Axis, unit: str) -> list[str]:
    """Grid, ticks and names of the axes."""
    bottom, small = HEIGHT - BOTTOM, {"fill": MUTED}
    parts: list[str] = []
    for tick in across.ticks:
        x = across.place(tick)
        parts.append(element("line", x1=x, x2=x, y1=TOP, y2=bottom, stroke=GRID))
        parts.append(text(x, bottom + 16, f"{tick:g}", 11.5, text_anchor="middle", **small))
    for tick in up.ticks:
        y = up.place(tick)
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, stroke=GRID))
        parts.append(text(LEFT - 7, y + 4, f"{tick:g}", 11.5, text_anchor="end", **small))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(text(middle, HEIGHT - 8, unit, SIZE, text_anchor="middle", **small))
    turned = f"rotate(-90 14 {(TOP + bottom) / 2:g})"
    parts.append(
        text(14, (TOP + bottom) / 2, "AP, %", SIZE, text_anchor="middle", transform=turned, **small)
    )
    return parts


def _mark(point: Point, x: float, y: float) -> Box:
    radius = point.kind.radius
    return x - radius, y - radius, 2 * radius, 2 * radius


def _name_area(name: str, x: float, y: float, taken: Sequence[Box], marks: Sequence[Box]) -> Box:
    """Where to write a point's name: over no other name, and if possible over no other point."""
    width, height = text_width(name, SIZE), SIZE + 3
    middle, beside = x - width / 2, y - SIZE + 4
    areas: list[Box] = [
        (min(max(left, LEFT), WIDTH - RIGHT - width), top, width, height)
        for left, top in (
            *((middle, y + shift - SIZE) for shift in (-11.0, 21.0)),
            *((x + 10, beside), (x - width - 10, beside)),
            *((middle, y + shift - SIZE) for shift in (-25.0, 35.0)),
        )
    ]
    free = [area for area in areas if not any(overlap(area, other) for other in taken)]
    clear = [area for area in free if not any(overlap(area, other) for other in marks)]
    return (clear or free or areas)[0]


def _dot(
    point: Point, costs: str, x: float, y: float, taken: list[Box], marks: Sequence[Box]
) -> str:
    """The mark, its name where names are shown, and what pointer and focus make visible."""
    kind = point.kind
    told = f"{point.name}: AP {percent(point.AP)} %, {costs}{point.note}"
    parts = [
        element(
            "circle", cx=x, cy=y, r=kind.radius, fill=PAPER if kind.hollow else kind.colour,
            stroke=kind.colour if kind.hollow else INK, stroke_width=2 if kind.hollow else 0.6,
            **{"class": "mark"},
        )
    ]  # fmt: skip
    if kind.named:
        area = _name_area(point.name, x, y, taken, marks)
        taken.append(area)
        parts.append(text(area[0], area[1] + SIZE, point.name, SIZE))
    wide = text_width(told, SIZE) + 14
    left = min(max(x - wide / 2, 2), WIDTH - wide - 2)
    top = y + 12 if y < HEIGHT / 2 else y - 36
    tip = element(
        "rect", x=left, y=top, width=wide, height=24, rx=4, fill=PAPER, stroke=INK
    ) + text(left + 7, top + 16, told, SIZE)
    parts.append(element("g", tip, **{"class": "tip"}))
    return (
        f'<g class="dot kind-{kind.id}" tabindex="0" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</g>"
    )
