"""Defects of a dataset, collected over all its files and reported together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DetSearchError

SHOWN_PER_KIND = 10


@dataclass(frozen=True)
class Defect:
    """One thing wrong with a dataset.

    Attributes:
        kind: Short name of what is wrong, the same for all defects of a kind, e.g. `missing image`.
        split: The split it was found in: `train`, `val`, or `train/val` where the two disagree.
        file: The file (or folder) to mend.
        item: The part of the file, e.g. `annotation 12`; empty for the whole file.
        detail: What was found and what is allowed.
    """

    kind: str
    split: str
    file: Path
    item: str
    detail: str

    def __str__(self) -> str:
        place = f"{self.file}, {self.item}" if self.item else str(self.file)
        return f"[{self.split}] {place}: {self.detail}"


class DatasetError(DetSearchError):
    """A dataset cannot be used as it is.

    Attributes:
        defects: Everything found, in full; the message shows the first of each kind.
    """

    def __init__(self, defects: Sequence[Defect]):
        self.defects = tuple(defects)
        super().__init__(summarise(self.defects))


def summarise(defects: Sequence[Defect], shown: int = SHOWN_PER_KIND) -> str:
    """Describe `defects` grouped by kind: all of them counted, the first `shown` of a kind listed."""
    kinds: dict[str, list[Defect]] = {}
    for defect in defects:
        kinds.setdefault(defect.kind, []).append(defect)
    lines = [f"The dataset has {len(defects)} defect{'s' if len(defects) != 1 else ''}."]
    for kind, members in kinds.items():
        lines.append(f"{kind} ({len(members)}):")
        lines += [f"  {defect}" for defect in members[:shown]]
        if len(members) > shown:
            lines.append(f"  ... and {len(members) - shown} more")
    return "\n".join(lines)
