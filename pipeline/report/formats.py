"""Numbers as readers like them."""

from __future__ import annotations

import math

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


def decimal(value: float) -> str:
    """A number with four significant digits."""
    return f"{value:.4g}"


def _significant(value: float, digits: int) -> str:
    """A number in fixed notation with `digits` significant digits, or all before the point."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, digits - 1 - magnitude)}f}"
