"""Draw the report of a run: one HTML page, and its tables and figures as files."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.ablations import ExamplesConfig
from pipeline.config.base import Section
from pipeline.config.evaluation import ReportConfig
from pipeline.report.page import build_report
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import COMPONENTS

JOINT = (
    "student",
    "base",
    "base_longer",
    "descent",
    "allocation",
    "random_descent",
    "random_student",
)
"""Artifacts of Joint-DetNAS: evaluations, the tree of descent, computation by stage, a random search."""


RANDOM, FRONT, LATENCY = "random", "front", "latency"
"""The artifacts of the comparison with random networks, of the pool's subnets, and of detectors timed in
turns."""

COMPARED = ("random_network", "plain")
"""Evaluations of two networks of that comparison, whose detections are drawn."""


class Settings(Section):
    """What the stage uses of the config."""

    report: ReportConfig
    examples: ExamplesConfig = ExamplesConfig()


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read the whole run folder, which is also where the page is published."""
    beside = [
        stage.inputs[name].relative_to(stage.folder).as_posix()
        for name in (*JOINT, RANDOM, FRONT, LATENCY)
        if name in stage.inputs
    ]
    settings = stage.settings
    return build_report(
        stage.folder, settings.report, beside, stage.several("seeds"), settings.examples
    )


if __name__ == "__main__":
    stage_main(
        run,
        Settings,
        inputs=(
            "data",
            *COMPONENTS,
            "search",
            "architecture",
            "detector",
            "evaluation",
        ),
        optional_inputs=(
            "screening_supernet",
            "supernet",
            "pretraining",
            *JOINT,
            RANDOM,
            *COMPARED,
            FRONT,
            LATENCY,
            "seeds",
        ),
        several_inputs=("seeds",),
    )
