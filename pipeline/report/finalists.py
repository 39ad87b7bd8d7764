"""What the report shows of the search's finalists: which network the short trainings chose."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.artifacts.typed import read_as
from pipeline.hit_detector.finalists import FINALISTS
from pipeline.report.inputs import Run
from pipeline.report.section import Part, paragraph
from pipeline.report.tables import Column, Table

SEARCHED = "hit_detector"
_BEST = {
    "ap": "the highest AP on the validation images",
    "dense_loss": "the lowest classification loss over all anchors in the second half of it",
}


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Finalist(_Read):
    number: int
    AP: float
    dense_loss: float


class _Finalists(_Read):
    chosen: int
    chosen_by: Literal["ap", "dense_loss"]
    finalists: tuple[_Finalist, ...] = Field(min_length=1)


def finalists_part(run: Run) -> tuple[Part, ...]:
    """A paragraph and a table, where the searched architecture was chosen among finalists."""
    if run.manifests[SEARCHED].stage != "choose_finalist":
        return ()
    record = read_as(run.path / SEARCHED / FINALISTS, _Finalists)
    intro = paragraph(
        "{} finalists, drawn by the search's probabilities (number 0: the most probable network), were each "
        "trained alone for a short time; number {} had {}, and is the searched architecture.",
        len(record.finalists),
        record.chosen,
        _BEST[record.chosen_by],
    )
    best_first = sorted(
        record.finalists,
        key=lambda each: -each.AP if record.chosen_by == "ap" else each.dense_loss,
    )
    rows = [
        (each.number, each.dense_loss, each.AP, "chosen" if each.number == record.chosen else "")
        for each in best_first
    ]
    columns = (
        Column("finalist", "number"),
        Column("classification loss over all anchors", "dense_loss", "decimal"),
        Column("AP after the short training, %", "AP", "percent", bar=True),
        Column("", "chosen"),
    )
    return intro, Table("finalists", columns, rows)
