"""Section: the searched detector among random and plain ones of the same cost."""

from __future__ import annotations

from pipeline.artifacts.typed import read_as
from pipeline.config.evaluation import ReportConfig
from pipeline.report.inputs import Run
from pipeline.report.random_study import STUDY, Study, random_study, verdict_sentence
from pipeline.report.section import Group, Section, paragraph

RANDOM = "tables/hit_random"


def random_section(run: Run, settings: ReportConfig) -> Section:
    """The verdict in a sentence, the table, and a dot for every training."""
    study = read_as(run.path / RANDOM / STUDY, Study)
    table, figure = random_study("random_networks", study)
    upshot = paragraph(
        "{} All were pretrained, trained and evaluated alike, on {} {} images; the random ones are drawn "
        "from the sub search spaces, the plain one is a standard network scaled in width.",
        verdict_sentence(study),
        run.metrics.images,
        run.evaluated,
    )
    return Section("random", "Against random networks", (upshot, table, Group((figure,))))
