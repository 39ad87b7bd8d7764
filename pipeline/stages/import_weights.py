"""Read weights that were pretrained elsewhere, and publish them as every other stage's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts.given_weights import read_checkpoint
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.base import Section
from pipeline.runner.stage import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config: a file of `data.classification.checkpoint`."""

    file: str


def given_file(settings: Settings) -> Mapping[str, Path]:
    """The file: another content under the same name is another version."""
    return {"file": Path(settings.file)}


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read the file; whether it fits is seen where the network is built."""
    file = Path(stage.settings.file)
    weights = read_checkpoint(file)
    return {
        WEIGHTS: lambda path: save_weights(path, weights, {"file": str(file)}),
    }


if __name__ == "__main__":
    stage_main(run, Settings, files=given_file)
