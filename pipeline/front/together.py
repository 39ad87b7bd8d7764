"""Detectors that were trained on their own, timed in turns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from pipeline.config.evaluation import LatencyConfig
from pipeline.data.index import DatasetIndex
from pipeline.deploy.together import TimedTogether
from pipeline.detection.builder import Surroundings
from pipeline.detection.detector_folder import detector_resolution, load_detector
from pipeline.front.clocking import Clock, Loaded


def timed_together(
    folders: Mapping[str, Path],
    around: Surroundings,
    index: DatasetIndex,
    settings: LatencyConfig,
    work: Path,
    device: torch.device,
) -> TimedTogether:
    """Trained detectors timed in turns, each at its own resolution.

    Args:
        folders: of the detectors, by the names that they have in the record.
        around: box sampling, normalisation, selection of detections.
        index: of the dataset whose val images are timed.
        settings: runtime, device and numbers.
        work: an empty folder, for exported detectors.
        device: where they are loaded.
    """
    clock = Clock(settings, index.classes, work)
    not_timed: dict[str, str] = {}
    for name, folder in folders.items():
        resolution = detector_resolution(folder) or around.detector.image_scale
        model, _, _ = load_detector(folder, around, device)
        if reason := clock.add_where_possible(Loaded(name, model, resolution)):
            not_timed[name] = reason
    latencies = clock.time(index) if clock.detectors else None
    return TimedTogether(latencies=latencies, not_timed=not_timed)
