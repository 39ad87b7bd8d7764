"""Section: the searched detector among random and plain ones of the same cost."""

from __future__ import annotations

from markupsafe import Markup

from pipeline.artifacts.typed import read_as
from pipeline.config.evaluation import ReportConfig
from pipeline.report.inputs import EVALUATION, Run
from pipeline.report.random_study import STUDY, Study, random_study, verdict_sentence
from pipeline.report.section import Group, Section, paragraph
from pipeline.report.side_by_side import evaluated_side_by_side
from pipeline.report.svg import Figure

RANDOM = "tables/hit_random"

COMPARED = {
    "searched": EVALUATION,
    "random": "ablations/random/0/evaluation",
    "plain": "ablations/plain/evaluation",
}
"""Whose detections are drawn, by the folder of the evaluation. The first random network is one that
nothing chose."""


def random_section(run: Run, settings: ReportConfig) -> Section:
    """The verdict in a sentence, the table, a dot for every training, and detections of three networks."""
    study = read_as(run.path / RANDOM / STUDY, Study)
    table, figure = random_study("random_networks", study)
    upshot = paragraph(
        "{} All were pretrained, trained and evaluated alike, on {} {} images; the random ones are drawn "
        "from the sub search spaces, the plain one is a standard network scaled in width.",
        verdict_sentence(study),
        run.metrics.images,
        run.evaluated,
    )
    parts = (upshot, table, Group((figure,)), *_detections(run))
    return Section("random", "Against random networks", parts)


def _detections(run: Run) -> tuple[Markup, Figure]:
    """The three networks on the same images (Hit-Detector, appendix 6.3)."""
    _, figure = evaluated_side_by_side(
        "random_detections",
        run.dataset.split(run.dataset.evaluation_split),
        {name: run.path / folder for name, folder in COMPARED.items()},
        images=run.examples.images,
        threshold=run.examples.score_threshold,
        seed=run.manifests[EVALUATION].seed,
    )
    told = paragraph(
        "What the searched network, the first random one and the plain one find on images that the run's "
        "seed draws: detections from a score of {} on.",
        run.examples.score_threshold,
    )
    return told, figure
