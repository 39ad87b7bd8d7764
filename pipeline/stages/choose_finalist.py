"""Take the finalist with the highest AP on the validation split as the searched architecture."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import NoSettings
from pipeline.hit_detector.finalists import FINALISTS, best_finalist, read_finalist
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE


def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
    """Publish the best one's architecture, and what all of them reached."""
    trained = stage.several("finalists").items()
    best, record = best_finalist([read_finalist(int(name), folder) for name, folder in trained])
    return {ARCHITECTURE: json_bytes(best.model_dump(mode="json")), FINALISTS: json_bytes(record)}


if __name__ == "__main__":
    stage_main(run, NoSettings, inputs=("search",), several_inputs=("finalists",))
