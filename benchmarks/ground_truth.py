"""The table of networks each trained alone that `hit_ground_truth` writes: what rankings are held against."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.search_space.architecture import COMPONENTS


@dataclass(frozen=True)
class Truth:
    """An architecture of the table: its operations by component and layer order, and its trainings."""

    number: int
    operations: Mapping[str, Sequence[str]]
    macs: int
    params: int
    AP: tuple[float, ...]


def read_table(path: Path) -> list[Truth]:
    """The architectures of a ground truth's CSV file, in their order."""
    rows: dict[int, list[dict[str, str]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(int(row["network"]), []).append(row)
    return [
        Truth(
            number=number,
            operations={component: first[component].split() for component in COMPONENTS},
            macs=int(first["macs"]),
            params=int(first["params"]),
            AP=tuple(float(row["AP"]) for row in sorted(same, key=lambda row: int(row["seed"]))),
        )
        for number, same in rows.items()
        for first in same[:1]
    ]
