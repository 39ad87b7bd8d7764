"""Numbers as readers like them."""

from __future__ import annotations

import math
from collections.abc import Sequence

DASH = "–"
"""Stands for a number that is not defined."""

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def scaled(value: float, digits: int = 3) -> str:
    """A count with a metric prefix and `digits` significant digits: 1234567 is `1.23 M`."""
    # rounded before the prefix is chosen: 999 960 is a million, not a thousand thousands
    rounded = float(f"{value:.{digits - 1}e}")
    for unit, prefix in _PREFIXES:
        if abs(rounded) >= unit:
            return f"{_significant(rounded / unit, digits)} {prefix}"
    return f"{rounded:g}"


def percent(fraction: float | None) -> str:
    """A fraction in percent with one decimal, without the sign: 0.414 is `41.4`."""
    return DASH if fraction is None else f"{100 * fraction:.1f}"


def accuracy(fraction: float | None) -> str:
    """As `percent`, with the sign where there is a number."""
    shown = percent(fraction)
    return shown if shown == DASH else f"{shown} %"


def few(names: Sequence[str], most: int = 3) -> str:
    """Names with commas; of many the first ones, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def macs_unit(largest: float) -> tuple[str, float]:
    """The unit of an axis of multiply-accumulates, as `scaled` would choose it, and the factor to it."""
    return ("GMACs", 1e-9) if largest >= 1e9 else ("MMACs", 1e-6)


def duration(seconds: float) -> str:
    """A time in the two units that matter: `52 ms`, `8.3 s`, `4 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if seconds < 1:
        return f"{_significant(1000 * seconds, 2)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, part, part_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= unit:
            first, rest = divmod(whole, unit)
            return f"{first} {name} {rest // part} {part_name}"
    raise AssertionError(seconds)


def alike_scaled(values: Sequence[float]) -> list[str]:
    """Counts of one column: the prefix of the largest, and for all as many decimals.

    The largest has three significant digits; more decimals are given where the least would vanish, up to 3.
    """
    largest = max(map(abs, values), default=0.0)
    rounded = float(f"{largest:.2e}")
    unit, prefix = next(((u, f" {p}") for u, p in _PREFIXES if rounded >= u), (1.0, ""))
    if unit == 1.0:
        return [f"{value:g}" for value in values]
    places = max(_places(largest / unit, 3), min(_least(values, unit), 3))
    return [f"{value / unit:.{places}f}{prefix}" for value in values]


def alike_durations(values: Sequence[float]) -> list[str]:
    """Times of one column: milliseconds with as many decimals, the least with two significant digits.

    Where one is longer than a second each has the units that matter to it.
    """
    milliseconds = [1000 * value for value in values]
    if max(milliseconds, default=0.0) >= 1000 or min(milliseconds, default=0.0) <= 0:
        return [duration(value) for value in values]
    places = _places(min(milliseconds), 2) if milliseconds else 0
    return [f"{value:.{places}f} ms" for value in milliseconds]


def alike_decimal(values: Sequence[float]) -> list[str]:
    """Numbers of one column with as many decimals: the largest has three significant digits."""
    if all(float(value).is_integer() for value in values):
        return [f"{value:.0f}" for value in values]
    places = _places(max(map(abs, values)), 3)
    return [f"{value:.{places}f}" for value in values]


def _least(values: Sequence[float], unit: float) -> int:
    """Decimals with which the least that is not 0 has two significant digits."""
    sizes = [abs(value) / unit for value in values if value]
    return _places(min(sizes), 2) if sizes else 0


def _significant(value: float, digits: int) -> str:
    """A number in fixed notation with `digits` significant digits, or all before the point."""
    return f"{value:.{_places(value, digits)}f}"


def _places(value: float, digits: int) -> int:
    """Decimals of a number with `digits` significant digits."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return max(0, digits - 1 - magnitude)
