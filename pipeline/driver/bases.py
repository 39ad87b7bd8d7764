"""The bases of Joint-DetNAS: that of `base_detector`, and further ones, each with a search of its own.

A further base's chain lies in `joint_detnas/bases/<name>/` as the first one's does in `joint_detnas/`:
`base/`, `hill_climb/`, `student/`. All share the data and the teacher pool.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config.root import Config
from pipeline.driver.layout import Layout

BASES = "bases"


def further_chains(config: Config) -> dict[str, str]:
    """The folders of the further bases' chains in `joint_detnas/`, by name."""
    return {name: f"{BASES}/{name}" for name in config.further_bases}


def chain_of(part: str) -> str:
    """The folder of the chain that a part of `joint_detnas/` belongs to: of a further base, or empty."""
    first, *others = part.split("/")
    return f"{BASES}/{others[0]}" if first == BASES else ""


def base_of(layout: Layout, part: str) -> Path:
    """The folder of the base that a part of `joint_detnas/` descends from."""
    return layout.joint / chain_of(part) / layout.base.relative_to(layout.joint)


def base_network(config: Config, part: str) -> dict[str, Any]:
    """The network of the zoo that a base is, and its widths: the settings `baseline` of `choose_network`."""
    base = config.base_detector
    chosen = {"zoo": base.network, "width": base.width, "head_width": base.head_width}
    if chain := chain_of(part):
        further = config.further_bases[Path(chain).name]
        stated = {"width": further.width, "head_width": further.head_width}
        chosen["zoo"] = further.network
        chosen |= {key: value for key, value in stated.items() if value is not None}
    return chosen


def further_rows(layout: Layout) -> dict[str, str]:
    """The evaluations of `<name>.base`, `<name>.base_longer` and `<name>.student` for each further base."""
    return {
        f"{name}.{detector}": layout.evaluation(f"{layout.joint.name}/{chain}/{detector}")
        for name, chain in further_chains(layout.config).items()
        for detector in ("base", "base_longer", "student")
    }
