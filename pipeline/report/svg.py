"""Figures as SVG: one palette, files that stand alone, and the same drawings inside the page.

Drawings use the literal colours below. In the page those of the surroundings become CSS variables, so
that a figure follows the page into the dark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup, escape
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from pipeline.report.characters import well_formed
from pipeline.search_space.architecture import COMPONENTS

INK, MUTED, GRID, PAPER = "#1b1f27", "#667085", "#dde1e8", "#fffffe"
"""Text, secondary text, thin lines, background."""

VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)", PAPER: "var(--card)"}

SERIES = ("#3b7ddd", "#e07b1a", "#2a9d6f", "#8e6bd8", "#d64550", "#16a3b8", "#b0892e", "#d45fa8")
"""Colours of curves: legible on white and on nearly black."""

COMPONENT_COLOURS: dict[str, str] = dict(zip(COMPONENTS, SERIES, strict=False))
KIND_COLOURS = {"ir": "#3b7ddd", "sep": "#2a9d6f", "conv": "#e07b1a"}
"""The operation kinds: inverted residual, separable, plain convolution."""
OTHER_KIND = "#8a94a6"

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def kind_colour(kind: str) -> str:
    """The colour of a kind of operation; a kind without one of its own is grey."""
    return KIND_COLOURS.get(kind, OTHER_KIND)


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Attributes:
        name: file name without `.svg`; also makes the ids inside unique in the page.
        svg: the SVG document; its root has a viewBox.
        title: one line that says what is drawn.
        width: natural width in CSS pixels.
        caption: whether the page shows the title under the drawing.
        scrolls: on a narrow screen, whether to scroll sideways rather than shrink.
        role: what it is to a screen reader: `group` where its parts can be walked through.
    """

    name: str
    svg: str
    title: str
    width: float
    caption: bool = True
    scrolls: bool = False
    role: str = "img"

    def html(self) -> Markup:
        """The figure for the page: the drawing inline, and its title."""
        least = f"min-width:{0.85 * self.width:.0f}px;" if self.scrolls else ""
        style = f"{least}max-width:{1.1 * self.width:.0f}px"
        caption = Markup("<figcaption>{}</figcaption>").format(self.title) if self.caption else ""
        return Markup('<figure>{}<div class="scroll">{}</div></figure>').format(
            caption, Markup(self._inline(style))
        )

    def file(self) -> bytes:
        """The content of the figure's own file."""
        return well_formed(self.svg).encode()

    def _inline(self, style: str) -> str:
        text = self.svg[self.svg.index("<svg") :].strip()
        text = re.sub(r'\bid="', f'id="{self.name}-', text)
        text = re.sub(r'((?:xlink:)?href)="#', rf'\1="#{self.name}-', text)
        text = text.replace("url(#", f"url(#{self.name}-")
        for colour, variable in VARIABLES.items():
            text = text.replace(colour, variable)
        head, rest = text.split(">", 1)
        head = re.sub(r'\s(width|height|version|xmlns(:xlink)?)="[^"]*"', "", head)
        rest = re.sub(r"\s*<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
        label = escape(self.title)
        return f'{head} role="{self.role}" aria-label="{label}" style="{style}">{rest}'


def document(width: float, height: float, body: list[str], title: str) -> str:
    """An SVG document of the given size in pixels, on the palette's background."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
            f' viewBox="0 0 {width:g} {height:g}" font-family="{FONT}">',
            f"<title>{escape(title)}</title>",
            element("rect", width=width, height=height, fill=PAPER),
            *body,
            "</svg>\n",
        ]
    )


def element(tag: str, content: str = "", /, **attributes: str | float) -> str:
    """An SVG element; `_` in an attribute's name stands for `-`. The content is SVG, not escaped."""
    given = "".join(
        f' {name.replace("_", "-")}="{escape(_value(value))}"' for name, value in attributes.items()
    )
    return f"<{tag}{given}>{content}</{tag}>" if content else f"<{tag}{given}/>"


def text(x: float, y: float, content: str, size: float, **attributes: str | float) -> str:
    """A line of text whose baseline starts at (x, y), or as `text_anchor` says."""
    return element(
        "text", str(escape(content)), x=x, y=y, font_size=size, **({"fill": INK} | attributes)
    )


def hint(content: str) -> str:
    """What a pointer resting on the element around it sees."""
    return f"<title>{escape(content)}</title>"


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 2):g}"


@cache
def text_width(content: str, size: float, bold: bool = False) -> float:
    """Width of a line in pixels in DejaVu Sans, which is wider than the fonts of most systems."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    # a second argument of matplotlib's: text at 72 dots an inch, so points are pixels
    return TextToPath().get_text_width_height_descent(content, font, ismath=False)[0]
