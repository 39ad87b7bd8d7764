"""What was found: rows of numbers part by part, as JSON and as Markdown tables."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
"""A line of a table: plain values by the names of their columns."""

OK, FAILED, OUT_OF_TIME = "ok", "failed", "out of time"


@dataclass
class PartResult:
    """One part.

    Attributes:
        name: of the part.
        limit: seconds that it may take.
        seconds: that it took.
        late: whether it was stopped at its limit.
        problems: what is wrong, each in a line.
        rows: what it measured until then.
    """

    name: str
    limit: float
    seconds: float = 0.0
    late: bool = False
    problems: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def status(self) -> str:
        """Running out of time is no failure; what was wrong before that is."""
        if self.problems:
            return FAILED
        return OUT_OF_TIME if self.late else OK


class Report:
    """All parts. Both files are written anew with every row, so that a run that is killed leaves them.

    Args:
        folder: where gpu.json and gpu.md go; it is made.
        head: what both begin with: the device, whether the sizes are tiny.
    """

    def __init__(self, folder: Path, head: Mapping[str, Any]) -> None:
        self.folder, self.head = folder, dict(head)
        self.parts: list[PartResult] = []
        self._began = time.monotonic()
        # the chain reports from a thread of its own
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def say(self, *words: object) -> None:
        """Print a line with the time since the beginning."""
        print(f"[{time.monotonic() - self._began:5.0f}s]", *words, flush=True)

    def begin(self, name: str, limit: float) -> PartResult:
        """Open a part."""
        result = PartResult(name, limit)
        self.parts.append(result)
        self.say(f"{name}: at most {limit:.0f} s")
        return result

    def row(self, result: PartResult, row: Row) -> None:
        """Print a row, and write it."""
        with self._lock:
            result.rows.append(row)
            shown = ", ".join(f"{name} {text(value)}" for name, value in row.items())
            self.say(f"{result.name}: {shown}")
            self._write()

    def end(self, result: PartResult, seconds: float) -> None:
        """Close a part."""
        with self._lock:
            result.seconds = seconds
            why = f": {'; '.join(result.problems)}" if result.problems else ""
            self.say(f"{result.name}: {result.status} after {seconds:.0f} s{why}")
            self._write()

    @property
    def problems(self) -> list[str]:
        """What is wrong in all parts."""
        return [f"{part.name}: {problem}" for part in self.parts for problem in part.problems]

    def content(self) -> dict[str, Any]:
        """What gpu.json holds."""
        return {
            "format": 1,
            **self.head,
            "seconds": round(time.monotonic() - self._began, 1),
            "failed": [part.name for part in self.parts if part.status == FAILED],
            "parts": [
                {
                    "name": part.name,
                    "status": part.status,
                    "limit": part.limit,
                    "seconds": round(part.seconds, 1),
                    "problems": part.problems,
                    "rows": part.rows,
                }
                for part in self.parts
            ],
        }

    def _write(self) -> None:
        content = self.content()
        (self.folder / "gpu.json").write_text(json.dumps(content, indent=1) + "\n")
        (self.folder / "gpu.md").write_text(markdown(content))


def markdown(content: Mapping[str, Any]) -> str:
    """A table for each part."""
    lines = ["# GPU check", ""]
    for part in content["parts"]:
        lines += [f"## {part['name']}: {part['status']}, {part['seconds']:.0f} s", ""]
        lines += [f"- WRONG: {_cell(problem)}" for problem in part["problems"]]
        lines += [""] if part["problems"] else []
        # tables of rows that have the same columns
        columns: list[str] | None = None
        for row in part["rows"]:
            if list(row) != columns:
                lines += [""] if columns is not None else []
                columns = list(row)
                lines += [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
            lines.append(f"| {' | '.join(_cell(text(value)) for value in row.values())} |")
        lines.append("")
    return "\n".join(lines)


def text(value: Any) -> str:
    """A value as people read it: four digits of a number."""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
