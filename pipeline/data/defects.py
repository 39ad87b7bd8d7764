"""Defects of a dataset, collected over all its files and reported together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts.files import replacing
from pipeline.console import one_line
from pipeline.errors import DetSearchError

SHOWN_PER_KIND = 10
FILE = "defects.txt"
"""Where the whole list is written, beside a stage's log."""


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
        return one_line(f"[{self.split}] {place}: {self.detail}")


class DatasetError(DetSearchError):
    """A dataset cannot be used as it is.

    Attributes:
        defects: Everything found, in full; the message shows the first of each kind.
    """

    def __init__(self, defects: Sequence[Defect]):
        self.defects = tuple(defects)
        super().__init__(summarise(self.defects))

    def write(self, path: Path) -> str | None:
        """Write the whole list, a line each, where the message does not hold it; a sentence of where.

        Raises:
            PublishError: The system refuses to write.
        """
        kinds = Counter(defect.kind for defect in self.defects)
        if max(kinds.values(), default=0) <= SHOWN_PER_KIND:
            return None
        with replacing(path) as temporary, temporary.open("w", errors="backslashreplace") as file:
            file.writelines(f"{defect.kind}\t{defect}\n" for defect in self.defects)
        return f"The whole list is in {path}"


@contextmanager
def whole_list(path: Path) -> Iterator[None]:
    """Write the defects that are raised to a file where they are too many for a message, which names it.

    Raises:
        DetSearchError: As the `DatasetError`, with where the whole list is.
    """
    path.unlink(missing_ok=True)
    try:
        yield
    except DatasetError as error:
        if told := error.write(path):
            raise DetSearchError(f"{error}\n{told}") from error
        raise


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
