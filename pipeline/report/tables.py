"""Tables: rows as plain data, shown as HTML and saved as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from pipeline.artifacts.csv_file import csv_bytes
from pipeline.report.formats import (
    DASH,
    alike_decimal,
    alike_durations,
    alike_scaled,
    few,
    percent,
)

Cell = str | int | float | None
"""A table's value as the run gave it; None where it is not defined."""

LONG = 24
"""Characters from which a text may take several lines."""

Kind = Literal["text", "names", "count", "scaled", "percent", "seconds", "decimal"]
"""How a column is shown; the CSV file always holds the plain value. `names` are parted by `NAMES_PARTED`."""

NAMES_PARTED = ", "


@dataclass(frozen=True)
class Column:
    """A column: `title` on the page, `key` in the CSV file, and whether a bar shows the size.

    Attributes:
        spread: keys of the columns with the quartiles, which the page shows below the values of this one.
    """

    title: str
    key: str
    kind: Kind = "text"
    bar: bool = False
    spread: tuple[str, str] | None = None


@dataclass(frozen=True)
class Table:
    """A table with a name for its file.

    Attributes:
        name: file name without `.csv`.
        columns: from left to right.
        rows: a cell for each column.
        caption: a sentence above the table.
        total: whether the last row is the sum of those before.
        hidden: whether it is only a file, because a figure shows the same.
    """

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    total: bool = False
    hidden: bool = False

    def csv(self) -> bytes:
        """The table as a CSV file in UTF-8; an undefined value is an empty field."""
        return csv_bytes([column.key for column in self.columns], self.rows)

    def html(self) -> Markup:
        """The table for the page; nothing when it is hidden."""
        if self.hidden:
            return Markup("")
        parts = [Markup('<div class="scroll"><table>')]
        if self.caption:
            parts.append(Markup("<caption>{}</caption>").format(self.caption))
        below = {key for column in self.columns for key in column.spread or ()}
        place = {column.key: index for index, column in enumerate(self.columns)}
        heads = Markup("").join(
            Markup('<th scope="col" class="{}">{}</th>').format(
                f"{_class(column)} barred" if column.bar else _class(column), column.title
            )
            for column in self.columns
            if column.key not in below
        )
        parts.append(Markup("<thead><tr>{}</tr></thead><tbody>").format(heads))
        body = self.rows[:-1] if self.total else self.rows
        largest = [
            max((_size(row[index]) for row in body), default=0.0)
            for index in range(len(self.columns))
        ]
        shown = [
            show([row[index] for row in self.rows], column.kind)
            for index, column in enumerate(self.columns)
        ]
        for number, row in enumerate(self.rows):
            last = self.total and number == len(self.rows) - 1
            cells = Markup("").join(
                _cell(
                    column,
                    value,
                    texts[number],
                    0.0 if last else top,
                    [shown[place[key]][number] for key in column.spread or () if row[place[key]]],
                )
                for column, value, texts, top in zip(self.columns, row, shown, largest, strict=True)
                if column.key not in below
            )
            name = Markup(' class="total"') if last else ""
            parts.append(Markup("<tr{}>{}</tr>").format(name, cells))
        parts.append(Markup("</tbody></table></div>"))
        return Markup("").join(parts)


def show(values: Sequence[Cell], kind: Kind) -> list[str]:
    """A column's values as the page shows them: counts and decimals in the same unit, with as many digits."""
    if kind == "names":
        values = [
            few(value.split(NAMES_PARTED)) if isinstance(value, str) else value for value in values
        ]
    numbers = [value for value in values if isinstance(value, int | float)]
    together = {"scaled": alike_scaled, "decimal": alike_decimal, "seconds": alike_durations}
    written = iter(
        together[kind](numbers) if kind in together else [_alone(one, kind) for one in numbers]
    )
    return [
        DASH if value is None else value if isinstance(value, str) else next(written)
        for value in values
    ]


def _alone(value: float, kind: Kind) -> str:
    if kind == "count":
        return f"{value:,}".replace(",", "\u202f")
    return percent(value) if kind == "percent" else str(value)


def _class(column: Column) -> str:
    return "text" if column.kind in ("text", "names") else "number"


def _size(value: Cell) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _cell(
    column: Column, value: Cell, text: str, largest: float, quartiles: Sequence[str]
) -> Markup:
    if column.bar and largest > 0:
        bar = Markup('<span class="bar"><i style="width:{:.1f}%"></i></span>').format(
            100 * _size(value) / largest
        )
        return Markup('<td class="{} barred"><b>{}</b>{}</td>').format(_class(column), text, bar)
    if column.bar:
        return Markup('<td class="{} barred"><b>{}</b></td>').format(_class(column), text)
    spread = Markup("<small>{}</small>").format(" to ".join(quartiles)) if quartiles else ""
    wrapped = " long" if len(text) > LONG and _class(column) == "text" else ""
    return Markup('<td class="{}">{}{}</td>').format(_class(column) + wrapped, text, spread)
