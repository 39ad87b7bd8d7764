"""CSV files, which people open in spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet would evaluate, some also with signs of full width."""


def csv_bytes(keys: Sequence[str], rows: Iterable[Sequence[str | int | float | None]]) -> bytes:
    """A CSV file in UTF-8: a line of keys, then the rows; None is an empty field.

    A text that a spreadsheet would take for a formula gets an apostrophe before it; numbers get none.
    """
    return "".join(_line([_harmless(cell) for cell in row]) for row in (keys, *rows)).encode()


def _line(row: Sequence[str | int | float | None]) -> str:
    text = io.StringIO()
    # csv quotes a cell for the signs of its line's end only, and readers end a line at \r too
    csv.writer(text, lineterminator="\r\n").writerow(row)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _harmless(cell: str | int | float | None) -> str | int | float | None:
    if not isinstance(cell, str) or not cell.startswith(FORMULA) or _is_number(cell):
        return cell
    return f"'{cell}"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell[1:].isascii() and "_" not in cell and cell == cell.strip()
