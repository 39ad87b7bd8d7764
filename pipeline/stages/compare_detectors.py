"""One of Hit-Detector's tables of detectors, from their evaluations: a CSV file and a figure."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.base import Section
from pipeline.report.ablations import DETECTOR_TABLES, detector_table
from pipeline.report.inputs import Metrics
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """The stage uses nothing of the config."""


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read the metrics of each detector; the order of the arguments is that of the rows."""
    name = stage.options["table"]
    detectors = {
        model: read_as(folder / "metrics.json", Metrics)
        for model, folder in stage.several("detectors").items()
    }
    table, figure = detector_table(name, detectors)
    return {f"{name}.csv": table.csv(), f"{name}.svg": figure.file()}


if __name__ == "__main__":
    stage_main(
        run, Settings, several_inputs=("detectors",), options={"table": tuple(DETECTOR_TABLES)}
    )
