"""What the report shows of the search's finalists: which network the short trainings chose."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from pipeline.artifacts.typed import read_as
from pipeline.hit_detector.finalists import FINALISTS
from pipeline.report.inputs import Run
from pipeline.report.section import Part, paragraph
from pipeline.report.tables import Column, Table

SEARCHED = "hit_detector"


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Finalist(_Read):
    number: int
    AP: float


class _Finalists(_Read):
    chosen: int
    finalists: tuple[_Finalist, ...] = Field(min_length=1)


def finalists_part(run: Run) -> tuple[Part, ...]:
    """A paragraph and a table, where the searched architecture was chosen among finalists."""
    if run.manifests[SEARCHED].stage != "choose_finalist":
        return ()
    record = read_as(run.path / SEARCHED / FINALISTS, _Finalists)
    intro = paragraph(
        "{} finalists, drawn by the search's probabilities (number 0: the most probable network), were each "
        "trained alone for a short time; number {} had the highest AP on the validation images, and is the "
        "searched architecture.",
        len(record.finalists),
        record.chosen,
    )
    rows = [
        (each.number, each.AP, "chosen" if each.number == record.chosen else "")
        for each in sorted(record.finalists, key=lambda each: -each.AP)
    ]
    columns = (
        Column("finalist", "number"),
        Column("AP after the short training, %", "AP", "percent", bar=True),
        Column("", "chosen"),
    )
    return intro, Table("finalists", columns, rows)
