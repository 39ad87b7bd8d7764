"""Tables of detectors, from their evaluations: both papers have some."""

from __future__ import annotations

from pipeline.config.base import NoSettings
from pipeline.detection.detector_folder import METRICS
from pipeline.drawings.drawing import Drawing, Drawn, Given
from pipeline.report.ablations import detector_table
from pipeline.report.inputs import Metrics, read_as


def detectors(given: Given[NoSettings]) -> Drawn:
    """A row for each of the group `detectors`, in their order; the drawing's name says which columns."""
    metrics = {
        model: read_as(folder / METRICS, Metrics)
        for model, folder in given.several["detectors"].items()
    }
    return Drawn(*detector_table(given.name, metrics))


DETECTORS = Drawing(detectors, NoSettings)
