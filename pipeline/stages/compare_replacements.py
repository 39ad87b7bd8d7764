"""Hit-Detector's Figure 3, from the detectors with one replaced operation and their evaluations."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.publish import Content
from pipeline.artifacts.typed import read_as
from pipeline.config.ablations import ReplacementConfig
from pipeline.config.base import Section
from pipeline.report.ablations import Replacement, replacement_study
from pipeline.report.inputs import Metrics
from pipeline.search_space.architecture import Architecture
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config."""

    replacement: ReplacementConfig


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Read what was replaced from the architectures, and the AP from the evaluations."""
    settings = stage.settings.replacement
    evaluations = stage.several("evaluations")
    replacements = []
    for name, folder in stage.several("architectures").items():
        origin = Architecture.load(folder / "architecture.json").provenance
        metrics = read_as(evaluations[name] / "metrics.json", Metrics)
        replacements.append(
            Replacement(origin["component"], origin["layer"], origin["operation"], metrics.AP)
        )
    table, figure = replacement_study(replacements, settings.operations, settings.base)
    return {"hit_figure3.csv": table.csv(), "hit_figure3.svg": figure.file()}


if __name__ == "__main__":
    stage_main(run, Settings, several_inputs=("architectures", "evaluations"))
