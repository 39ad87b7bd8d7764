"""Hit-Detector's Figure 4, from screenings under several regularisers."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.base import Section
from pipeline.report.ablations import Screened, sparsity_study
from pipeline.report.inputs import History, SubSearchSpace
from pipeline.search_space.architecture import COMPONENTS
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read each screening; its manifest says under which regulariser it was made."""
    screened = []
    for folder in stage.several("screenings").values():
        config = Manifest.load(folder / MANIFEST).config["screening"]
        screened.append(
            Screened(
                config["regularizer"],
                config["mu"],
                read_as(folder / "sub_search_space.json", SubSearchSpace),
                read_as(folder / "history.json", History),
            )
        )
    table, figure = sparsity_study(stage.options["component"], screened)
    return {"hit_figure4.csv": table.csv(), "hit_figure4.svg": figure.file()}


if __name__ == "__main__":
    stage_main(run, Settings, several_inputs=("screenings",), options={"component": COMPONENTS})
