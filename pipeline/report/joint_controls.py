"""The search of Joint-DetNAS against others of the same budget: what it is worth, and what its ranking is."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.hill_climb.descent import Descent
from pipeline.report.joint_search import draw_progress
from pipeline.report.joint_tables import Evaluated, difference
from pipeline.report.svg import Figure
from pipeline.report.tables import Cell, Column, Kind, Table

CONTROLS = {
    "random": "The random search trains as many candidates for as many epochs. Its actions are random, of "
    "all kinds in all generations, and its teachers from anywhere in the pool",
    "unranked": "The search without a ranking trains as many candidates for as many epochs. It proposes as "
    "the search does, with the same generations that only prune, but teachers from anywhere in the pool",
}
"""The searches that do not rank, by the names of their folders, and what each shares with the search."""

COLUMNS: tuple[tuple[str, str, Kind], ...] = (
    ("search", "search", "text"),
    ("candidates", "candidates", "count"),
    ("epochs", "epochs", "count"),
    ("epochs of the student", "student_epochs", "count"),
    ("best H", "H", "decimal"),
    ("AP while searching, %", "val_AP", "percent"),
    ("MACs", "macs", "scaled"),
    ("AP, %", "AP", "percent"),
    ("AP50, %", "AP50", "percent"),
    ("AP against the last row, points", "AP_change", "percent"),
)


def control_comparison(
    name: str, searches: Mapping[str, Descent], students: Mapping[str, Evaluated]
) -> tuple[Table, Figure]:
    """A row for each search, and the best score up to each generation.

    Args:
        name: of the table's and the figure's file.
        searches: by name; the last is one of `CONTROLS`.
        students: the evaluation of what each found.
    """
    control = [*searches][-1]
    against = students[control].metrics.AP
    rows: list[list[Cell]] = []
    for search, descent in searches.items():
        best, found = descent.best, students[search].metrics
        rows.append(
            [
                search,
                len(descent.evaluations),
                descent.epochs,
                best.epochs,
                best.best.score,
                best.best.ap,
                found.macs,
                found.AP,
                found.AP50,
                difference(found.AP, against),
            ]
        )
    caption = (
        f"{CONTROLS[control]}; each descends from a random candidate of the generation before, whatever that "
        "is worth. Of both the student is the candidate with the highest H. One run each."
    )
    table = Table(name, [Column(*column) for column in COLUMNS], rows, caption)
    return table, draw_progress(name, "The search, and one that does not rank", searches)
