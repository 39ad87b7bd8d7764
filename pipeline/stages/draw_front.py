"""Draw the page of the front: one HTML page, and its tables and figures as files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pydantic import PositiveInt

from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.evaluation import Evaluating, ReportConfig
from pipeline.front.examples import found_on_images
from pipeline.report.front_page import build_front_page
from pipeline.runner.stage import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config."""

    example_images: PositiveInt
    score_threshold: float
    evaluating: Evaluating


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """The detectors whose detections are drawn are made again, as the front judged them."""
    settings = stage.settings
    drawing = ReportConfig(
        example_images=settings.example_images, score_threshold=settings.score_threshold
    )
    manifest = Manifest.load(stage.inputs["front"] / MANIFEST)
    find_on = partial(
        found_on_images, stage.run_folder, manifest, settings.evaluating, stage.device
    )
    return build_front_page(stage.run_folder, drawing, find_on)


if __name__ == "__main__":
    stage_main(
        run,
        Settings,
        inputs=("front", "data", "pool"),
        optional_inputs=("stock",),
        several_inputs=("stock",),
    )
