"""Section: COCO's twelve numbers, and AP of each class."""

from __future__ import annotations

from pipeline.config.evaluation import ReportConfig
from pipeline.report.inputs import Run
from pipeline.report.section import Group, Part, Section, paragraph
from pipeline.report.tables import Column, Table

NUMBERS = (
    ("AP", "0.50–0.95", "all", 100),
    ("AP50", "0.50", "all", 100),
    ("AP75", "0.75", "all", 100),
    ("APS", "0.50–0.95", "small", 100),
    ("APM", "0.50–0.95", "medium", 100),
    ("APL", "0.50–0.95", "large", 100),
    ("AR1", "0.50–0.95", "all", 1),
    ("AR10", "0.50–0.95", "all", 10),
    ("AR100", "0.50–0.95", "all", 100),
    ("ARS", "0.50–0.95", "small", 100),
    ("ARM", "0.50–0.95", "medium", 100),
    ("ARL", "0.50–0.95", "large", 100),
)
"""Name, IoU, objects' size, detections an image."""

FOLD_ABOVE = 20
"""Longer lists of classes are folded."""


def accuracy_section(run: Run, settings: ReportConfig) -> Section:
    """Two tables: the twelve numbers, and the classes."""
    values = run.metrics.model_dump()
    numbers = Table(
        "accuracy",
        (
            Column("", "metric"),
            Column("%", "value", "percent", bar=True),
            Column("IoU", "iou"),
            Column("objects", "objects"),
            Column("detections", "detections", "count"),
        ),
        [(name, values[name], iou, size, limit) for name, iou, size, limit in NUMBERS],
        "All classes",
    )
    per_class = run.metrics.AP_per_class
    classes = Table(
        "accuracy_per_class",
        (Column("class", "class"), Column("AP, %", "AP", "percent", bar=True)),
        list(per_class.items()),
        "Each class",
    )
    listed: Part = classes
    if len(per_class) > FOLD_ABOVE:
        listed = Group((classes,), "fold", f"AP of each of the {len(per_class)} classes")
    intro = paragraph(
        "On {} {} images, in percent. Small objects have less than 32² pixels, large ones "
        "more than 96². A dash: there is no such object to find.",
        run.metrics.images,
        run.evaluated,
    )
    return Section("accuracy", "Accuracy", (intro, Group((numbers, listed), "grid")))
