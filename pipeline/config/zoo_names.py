"""The names of the zoo's networks, which are those of its files: the config knows no more of them."""

from __future__ import annotations

from pathlib import Path

ZOO = Path(__file__).parents[1] / "zoo"
ZOO_NAMES = tuple(sorted(path.stem for path in ZOO.glob("*.json")))
"""Every network of the zoo."""
