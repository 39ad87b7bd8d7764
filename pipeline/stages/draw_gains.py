"""Joint-DetNAS's Figure 6: what each kind of change brought, and when it helped."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import read_json
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.config.distillation import Resolution
from pipeline.config.hill_climb import Scoring
from pipeline.detection.detector_folder import METRICS
from pipeline.hill_climb.descent import DESCENT, Descent, base_score
from pipeline.report.joint_search import gain_study
from pipeline.stages.base import Stage, stage_main


class Settings(Section):
    """What the stage uses of the config: R_base, α and β."""

    scoring: Scoring
    resolution: Resolution


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Compare each candidate's H with its parent's; children of the base with that of the base."""
    descent = Descent.load(stage.inputs["descent"] / DESCENT)
    settings, validated = stage.settings, stage.inputs["base"] / METRICS
    first = None
    # a user's own detector was not validated at the candidates' resolutions
    if validated.exists():
        metrics = read_json(validated)["resolutions"]
        first = base_score(metrics, settings.resolution, settings.scoring)
    table, figure = gain_study(descent, first)
    return {"joint_figure6.csv": table.csv(), "joint_figure6.svg": figure.file()}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("descent", "base"))
