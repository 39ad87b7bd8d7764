"""Draw the report of a run: one HTML page, and its tables and figures as files."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.evaluation import ReportConfig
from pipeline.report.page import build_report
from pipeline.search_space.architecture import COMPONENTS
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config."""

    report: ReportConfig


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read the whole run folder, which is also where the page is published."""
    return build_report(stage.folder, stage.settings.report)


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
        optional_inputs=("screening-supernet", "supernet", "pretraining"),
    )
