"""Hit-Detector's Figure 5: the searched architecture drawn, and its layers as a CSV file."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.report.architecture import draw_architecture
from pipeline.report.tables import Column, Table
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Draw the derived architecture with the margin of each layer over its runner-up."""
    architecture = Architecture.load(stage.inputs["architecture"] / "architecture.json")
    margins = architecture.provenance["margins"]
    rows = [
        [
            component,
            name,
            str(block.operation),
            block.channels,
            block.stride,
            margins[component][name],
        ]
        for component in COMPONENTS
        for name, block in architecture.blocks(component).items()
    ]
    names = ("component", "layer", "operation", "channels", "stride", "margin")
    table = Table("hit_figure5", [Column(name, name) for name in names], rows)
    figure = draw_architecture(architecture, margins)
    return {"hit_figure5.csv": table.csv(), "hit_figure5.svg": figure.file()}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("architecture",))
