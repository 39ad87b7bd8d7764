"""Take the best student of the search (Joint-DetNAS): a detector folder, with no further training."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import read_json
from pipeline.artifacts.publish import Content
from pipeline.config.detector import DetectorSections
from pipeline.detection.builder import Surroundings
from pipeline.detection.detector_folder import CLASSES, detector_files
from pipeline.hill_climb.parents import load_parent
from pipeline.hill_climb.records import load_ranking, record_bytes
from pipeline.hill_climb.student import at_resolution
from pipeline.runner.stage import Stage, stage_main


def run(stage: Stage[DetectorSections]) -> Mapping[str, Content]:
    """Publish the first of the list, at the resolution with its highest score."""
    settings, inputs = stage.settings, stage.inputs
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    best = load_ranking(inputs["ranking"]).top[0]
    chosen = best.best.resolution
    architecture = at_resolution(best.architecture, settings.detector.image_scale, chosen)
    described = {"method": "joint_detnas", "candidate": best.proposal.name.folder}
    scores = [
        {"resolution": list(score.resolution), "AP": score.ap, "H": score.score}
        for score in best.scores
    ]
    files = detector_files(
        architecture.model_copy(update={"provenance": architecture.provenance | described}),
        load_parent(inputs["ranking"], best.proposal.name).weights,
        around,
        read_json(inputs["base"] / CLASSES),
        {"format": 1, "resolutions": scores},
        chosen,
    )
    return {**files, "student.json": record_bytes(best)}


if __name__ == "__main__":
    stage_main(run, DetectorSections, inputs=("base", "ranking"))
