"""The report of a run: one HTML page without scripts or links to load, its figures and its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.config.ablations import ExamplesConfig
from pipeline.config.evaluation import ReportConfig
from pipeline.report.accuracy import accuracy_section
from pipeline.report.answer import answer_section
from pipeline.report.architecture import architecture_section
from pipeline.report.cost import cost_section
from pipeline.report.curves import search_section, training_section
from pipeline.report.detections import detections_section
from pipeline.report.front import FRONT, front_section
from pipeline.report.heatmaps import heatmaps_section
from pipeline.report.inputs import Run
from pipeline.report.joint_detnas import joint_section
from pipeline.report.joint_inputs import STUDENT
from pipeline.report.random_section import RANDOM, random_section
from pipeline.report.records import data_section, reproducibility_section, time_section
from pipeline.report.rendering import page_files
from pipeline.report.screening import screening_section
from pipeline.report.section import Section
from pipeline.report.seeds import seeds_section
from pipeline.report.summary import summary_section

SEARCHED = "A detector whose backbone, neck and head were searched together (Hit-Detector)"
UPGRADED = "a base detector upgraded by pruning, morphism and distillation (Joint-DetNAS)"
"""What the page is about."""

SECTIONS: tuple[Callable[[Run, ReportConfig], Section], ...] = (
    answer_section,
    seeds_section,
    random_section,
    front_section,
    summary_section,
    detections_section,
    accuracy_section,
    cost_section,
    architecture_section,
    heatmaps_section,
    screening_section,
    search_section,
    training_section,
    joint_section,
    time_section,
    data_section,
    reproducibility_section,
)
"""The page from top to bottom."""


def build_report(
    run: Path,
    settings: ReportConfig,
    beside: Sequence[str] = (),
    seeds: Mapping[str, Path] | None = None,
    examples: ExamplesConfig | None = None,
) -> dict[str, bytes]:
    """Draw the report of a run; the same files give the same bytes.

    Args:
        run: the run's folder, `results/<run>`, with everything up to the evaluation.
        settings: the `report` section.
        beside: folders, relative to the run's, of what the page shows besides the searched detector;
            with the student's evaluation among them it has a section on Joint-DetNAS, with the
            table `hit_random` one on random networks, with the front one on that.
        seeds: evaluations by `<seed>.<detector>`, where the chain ran with several seeds.
        examples: on which images detectors are drawn side by side; None: the section's defaults.

    Returns:
        Content by path relative to the run: `report.html`, `figures/*.svg`, `tables/*.csv`.

    Raises:
        ArtifactError: a file of the run is missing or is not in its format; the message names it.
    """
    source = Run(run, tuple(beside), seeds or {}, examples or ExamplesConfig())
    joint = STUDENT in source.beside
    left_out = [
        *([] if joint else [joint_section]),
        *([] if RANDOM in source.beside else [random_section]),
        *([] if FRONT in source.beside else [front_section]),
        *([] if source.seeds else [seeds_section]),
        *([] if source.screened else [screening_section]),
    ]
    sections = [section(source, settings) for section in SECTIONS if section not in left_out]
    return page_files(
        "report.html",
        source,
        sections,
        title="Hit-Detector and Joint-DetNAS report" if joint else "Hit-Detector report",
        about=f"{SEARCHED}, and {UPGRADED}" if joint else SEARCHED,
    )
