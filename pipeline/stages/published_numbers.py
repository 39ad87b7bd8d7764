"""Compare the papers' parameters and FLOPs with those of the zoo's architecture files."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import NoSettings
from pipeline.runner.stage import Stage, stage_main
from pipeline.zoo.published import compare, comparison_csv


def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
    """Build each network on the meta device, count, and publish the table."""
    return {"published_numbers.csv": comparison_csv(compare())}


if __name__ == "__main__":
    stage_main(run, NoSettings)
