"""A section of the report: a title and parts (text, figures, tables), independent of all others.

To add a section, write a module with a function `(run, settings) -> Section` and name the function in
`pipeline.report.page.SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from pipeline.report.svg import Figure
from pipeline.report.tables import Table


@dataclass(frozen=True)
class Group:
    """Parts side by side (`grid`, `gallery` with smaller cells) or folded away behind `summary`."""

    parts: tuple[Part, ...]
    layout: Literal["grid", "gallery", "fold"] = "grid"
    summary: str = ""


Part = Markup | Figure | Table | Group


@dataclass(frozen=True)
class Section:
    """A section: `id` is its anchor in the page, `title` its heading and its name in the navigation."""

    id: str
    title: str
    parts: tuple[Part, ...]

    @property
    def html(self) -> Markup:
        """All parts in their order."""
        return Markup("\n").join(map(_render, self.parts))

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, also those in groups."""
        return tuple(leaf for leaf in _leaves(self.parts) if isinstance(leaf, Figure))

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, also those in groups."""
        return tuple(leaf for leaf in _leaves(self.parts) if isinstance(leaf, Table))


def paragraph(text: str, *values: object) -> Markup:
    """A paragraph of HTML `text` with `{}` places; the values are escaped."""
    return Markup(f"<p>{text}</p>").format(*values)


def _leaves(parts: tuple[Part, ...]) -> Iterator[Markup | Figure | Table]:
    for part in parts:
        if isinstance(part, Group):
            yield from _leaves(part.parts)
        else:
            yield part


def _render(part: Part) -> Markup:
    if isinstance(part, Group):
        inside = Markup("\n").join(map(_render, part.parts))
        if part.layout == "fold":
            return Markup("<details><summary>{}</summary>{}</details>").format(part.summary, inside)
        return Markup('<div class="{}">{}</div>').format(part.layout, inside)
    return part if isinstance(part, Markup) else part.html()
