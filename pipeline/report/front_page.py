"""The page of a front: what `snakemake front` found, without a report of the whole run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from pipeline.artifacts.typed import read_as
from pipeline.config.evaluation import ReportConfig
from pipeline.front.table import FRONT as FILE
from pipeline.front.table import Front, Row
from pipeline.report.detections import by_image
from pipeline.report.front import FRONT, front_section
from pipeline.report.inputs import Detection, Run
from pipeline.report.records import data_section, reproducibility_section, time_section
from pipeline.report.rendering import page_files
from pipeline.report.section import Section, paragraph
from pipeline.report.side_by_side import drawn_images, side_by_side

PAGE = "front.html"
ABOUT = (
    "Detectors of many sizes out of one training (a teacher pool), searched for those that are accurate at "
    "little cost"
)

FindOn = Callable[[Row, Collection[int]], Sequence[dict[str, Any]]]
"""COCO's results of a detector of the front on images of these ids."""


def build_front_page(run: Path, settings: ReportConfig, find_on: FindOn) -> dict[str, bytes]:
    """Draw the page of a run's front; the same files and detections give the same bytes.

    Args:
        run: the run's folder, `results/<run>`, with the front and what it was made from.
        settings: the `report` section.
        find_on: is asked once for each detector of which detections are drawn.

    Returns:
        Content by path relative to the page's folder: `front.html`, `figures/*.svg`, `tables/*.csv`.

    Raises:
        ArtifactError: a file of the run is missing or is not in its format; the message names it.
    """
    source = Run(run, root=FRONT)
    sections = (
        front_section(source, settings),
        detections_section(source, settings, find_on),
        time_section(source, settings),
        data_section(source, settings),
        reproducibility_section(source, settings),
    )
    return page_files(PAGE, source, sections, title="front", about=ABOUT)


def detections_section(run: Run, settings: ReportConfig, find_on: FindOn) -> Section:
    """What the ends of the front, and the best of those trained alone, find on the same images.

    Raises:
        ArtifactError: the annotations or an image cannot be read.
    """
    columns = compared_rows(read_as(run.path / FRONT / FILE, Front))
    split = run.dataset.split(run.dataset.evaluation_split)
    images = drawn_images(split, settings.example_images, run.manifests[run.root].seed)
    found = {
        heading: by_image(map(Detection.model_validate, find_on(row, images)))
        for heading, row in columns.items()
    }
    table, figure = side_by_side("detections", split, found, images, settings.score_threshold)
    told = paragraph(
        "What is on {} {} images that the run's seed draws, and what detectors of the table find there, from "
        "a score of {} on. AP on the validation images says which subnet, and which of those trained alone, "
        "is best.",
        len(images),
        run.evaluated,
        settings.score_threshold,
    )
    # so that four columns need no scrolling on a screen of 900 pixels
    smaller = replace(figure, width=0.9 * figure.width)
    return Section("detections", "Detections", (told, smaller, replace(table, hidden=True)))


def compared_rows(front: Front) -> dict[str, Row]:
    """The detectors whose detections are drawn, by what stands above them.

    The subnet of least cost and that of the highest AP on val, which may be one, and by the same AP the
    best detector that was trained alone, where there is one.
    """
    subnets = [row for row in front.rows if row.kind == "subnet"]
    stock = [row for row in front.rows if row.kind == "stock"]
    cheapest = min(subnets, key=lambda row: inf if row.cost is None else row.cost)
    best = max(subnets, key=lambda row: row.val.ap)
    least = "fastest" if front.latencies else "fewest MACs"
    if best.name == cheapest.name:
        columns = {f"{least} and best: {best.name}": best}
    else:
        columns = {f"{least}: {cheapest.name}": cheapest, f"best: {best.name}": best}
    if stock:
        alone = max(stock, key=lambda row: row.val.ap)
        columns[f"trained alone: {alone.name}"] = alone
    return columns
