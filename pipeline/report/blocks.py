"""Drawing an architecture's blocks: a box whose width is the kernel and whose colour is the kind."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.report.svg import GRID, INK, MUTED, element, hint, text
from pipeline.search_space.architecture import Block
from pipeline.search_space.names import OperationSpec

HEIGHT = 38.0
"""Of a box, pixels; its caption and margin line take FOOT more."""
FOOT = 21.0
INSIDE = "#10141b"
"""Text on the boxes, whose colours are light in both themes."""

_SHADES = {
    "ir": ("#d3e2ff", "#a6c6ff", "#78a6fb"),
    "sep": ("#a3dfc1",) * 3,
    "conv": ("#ffc58f",) * 3,
}
_OTHER_SHADES = ("#d8dce4", "#c3c9d4", "#aab2c0")
"""Of any other kind: the drawing's key does not explain it, the text in the box does."""


@dataclass(frozen=True)
class Drawn:
    """A block to draw: its name in the architecture, and its margin over the runner-up, if known."""

    name: str
    block: Block
    margin: float | None

    @property
    def operation(self) -> str:
        """The operation's name.

        Raises:
            ValueError: the block still holds candidates.
        """
        if not isinstance(self.block.operation, str):
            raise ValueError(f"{self.name} holds candidates: only a derived network can be drawn")
        return self.block.operation

    @property
    def width(self) -> float:
        """Of the box, pixels: a wider kernel is a wider box."""
        return box_width(OperationSpec.parse(self.operation).kernel)


def box_width(kernel: int) -> float:
    """Width of the box of a kernel, pixels."""
    return 48 + 7.0 * kernel


def colour(spec: OperationSpec) -> str:
    """Kind by hue, expansion by depth."""
    depth = 0 if spec.expansion < 3 else 1 if spec.expansion < 6 else 2
    return _SHADES.get(spec.kind, _OTHER_SHADES)[depth]


def draw_block(drawn: Drawn, x: float, y: float) -> str:
    """The box with its top left corner at (x, y): operation, channels, stride and margin."""
    spec = OperationSpec.parse(drawn.operation)
    width, block = drawn.width, drawn.block
    centre = x + width / 2
    known = "" if drawn.margin is None else f", margin {drawn.margin:.3f}"
    title = (
        f"{drawn.name}: {drawn.operation}, {block.channels} channels, stride {block.stride}{known}"
    )
    details = f"e{spec.expansion} d{spec.dilation}" if spec.kind == "ir" else f"d{spec.dilation}"
    caption = f"{block.channels} ↓2" if block.stride == 2 else f"{block.channels}"
    parts = [
        hint(title),
        operation_box(spec, details, x, y, width),
        text(centre, y + HEIGHT + 17, caption, 10.5, fill=MUTED, text_anchor="middle"),
    ]
    if drawn.margin is not None:
        share = max(0.0, min(1.0, drawn.margin)) * width
        line = {"y": y + HEIGHT + 3.5, "height": 2.5, "rx": 1.2}
        parts += [
            element("rect", x=x, width=width, fill=GRID, **line),
            element("rect", x=x, width=share, fill=MUTED, **line),
        ]
    return element("g", "".join(parts))


def operation_box(spec: OperationSpec, details: str, x: float, y: float, width: float) -> str:
    """The coloured box alone, with two lines: kind and kernel, then `details`."""
    centre = x + width / 2
    kernel = f"{spec.kind} {spec.kernel}×{spec.kernel}"
    return "".join(
        (
            element("rect", x=x, y=y, width=width, height=HEIGHT, rx=5, fill=colour(spec)),
            text(
                centre,
                y + 16.5,
                kernel,
                11,
                fill=INSIDE,
                font_weight="bold",
                text_anchor="middle",
            ),
            text(centre, y + 30.5, details, 10.5, fill=INSIDE, text_anchor="middle"),
        )
    )


def fixed_box(x: float, y: float, width: float, lines: tuple[str, str], caption: str = "") -> str:
    """A box for a part that is not searched."""
    centre = x + width / 2
    shape = {"x": x, "y": y, "width": width, "height": HEIGHT, "rx": 5}
    parts = [
        element("rect", **shape, fill="none", stroke=MUTED, stroke_dasharray="4 3"),
        text(centre, y + 16.5, lines[0], 11.5, text_anchor="middle"),
        text(centre, y + 30.5, lines[1], 10.5, fill=MUTED, text_anchor="middle"),
        text(centre, y + HEIGHT + 17, caption, 10.5, fill=MUTED, text_anchor="middle"),
    ]
    return "".join(parts if caption else parts[:-1])


def arrow(*points: tuple[float, float]) -> str:
    """A line through the points with a head at its end."""
    return _line(points) + _head(points[-2], points[-1])


def line(*points: tuple[float, float]) -> str:
    """A line through the points."""
    return _line(points)


def node(x: float, y: float, sign: str = "+") -> str:
    """The circle of a sum."""
    return element("circle", cx=x, cy=y, r=8, fill="none", stroke=MUTED) + text(
        x, y + 4.2, sign, 12, fill=INK, text_anchor="middle"
    )


def _line(points: tuple[tuple[float, float], ...]) -> str:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return element("polyline", points=path, fill="none", stroke=MUTED, stroke_width=1.2)


def _head(before: tuple[float, float], end: tuple[float, float]) -> str:
    (x0, y0), (x, y) = before, end
    length = max(abs(x - x0), abs(y - y0))
    dx, dy = (x - x0) / length, (y - y0) / length
    corners = ((x, y), (x - 6 * dx - 3.5 * dy, y - 6 * dy + 3.5 * dx))
    last = (x - 6 * dx + 3.5 * dy, y - 6 * dy - 3.5 * dx)
    path = " ".join(f"{a:g},{b:g}" for a, b in (*corners, last))
    return element("polygon", points=path, fill=MUTED)
