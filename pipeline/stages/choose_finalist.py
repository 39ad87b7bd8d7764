"""Take the finalist whose short training went best as the searched architecture."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.hit_detector.finalists import FINALISTS, ChosenBy, best_finalist, read_finalist
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE


class Settings(Section):
    """What the stage uses of the config."""

    chosen_by: ChosenBy


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Publish the best one's architecture, and what all of them reached."""
    trained = stage.several("finalists").items()
    finalists = [read_finalist(int(name), folder) for name, folder in trained]
    best, record = best_finalist(finalists, stage.settings.chosen_by)
    return {ARCHITECTURE: json_bytes(best.model_dump(mode="json")), FINALISTS: json_bytes(record)}


if __name__ == "__main__":
    # the search itself is read by nothing here: with it as an input the lineage of what is derived names it
    stage_main(run, Settings, inputs=("search",), several_inputs=("finalists",))
