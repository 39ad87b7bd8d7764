"""Screening a detection supernet: from the config's sections and the data to the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from pipeline.config.hit_detector import ScreeningConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings
from pipeline.hit_detector.detection import SupernetData, detection_supernet
from pipeline.hit_detector.screening import Screening
from pipeline.hit_detector.spaces import screening_operations
from pipeline.search_space.architecture import COMPONENTS


def detector_screening(
    components: Sequence[str],
    shape: SupernetConfig,
    settings: ScreeningConfig,
    around: Surroundings,
    inputs: Mapping[str, Path],
    *,
    seed: int,
    device: torch.device,
) -> Screening:
    """The screening of one component, or of all at once, in a supernet of the screening depth.

    Args:
        components: those under screening.
        shape: the `supernet` section.
        settings: the `screening` section.
        around: box sampling and normalisation.
        inputs: folders of artifacts: `data`, the prepared detection dataset; `supernet`, the pretrained
            backbone supernet, if there is one; by its name, each component that was screened before.
        seed: of the halves of the data and their streams.
        device: where to train.

    Raises:
        DetSearchError: the backbone was not screened before the neck or the head.
    """
    data = SupernetData.load(inputs["data"], around, settings, seed)
    supernet = detection_supernet(
        shape,
        shape.screening_depth,
        screening_operations(components, settings, inputs),
        around,
        classes=len(data.classes),
        backbone=inputs.get("supernet"),
        paths={
            name: settings.paths if name in components else settings.held_paths
            for name in COMPONENTS
        },
        device=device,
    )
    return Screening(
        components, supernet.model, settings, supernet.choices, data.loss, data.streams
    )
