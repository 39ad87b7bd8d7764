"""The latency of detectors that are in memory, as they are used: from the pixels of an image to its boxes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.distillation import Resolution
from pipeline.config.evaluation import LatencyConfig
from pipeline.data.index import DatasetIndex
from pipeline.deploy.entrance import enter
from pipeline.deploy.latency import Detect, Latencies, timed
from pipeline.deploy.layers import ExportError
from pipeline.deploy.parity import detect_in_torch
from pipeline.deploy.sample_images import loaded
from pipeline.deploy.session import OnnxDetector
from pipeline.deploy.writing import describe, write_onnx
from pipeline.front.judging import image_paths

log = logging.getLogger("detsearch")


@dataclass(frozen=True)
class Loaded:
    """A detector in memory.

    Attributes:
        name: unique.
        model: mmdet's, in eval mode.
        resolution: longest and shortest side at which it is used, pixels.
    """

    name: str
    model: Any
    resolution: Resolution


class Clock:
    """Detectors made ready one after another, and then timed together.

    Args:
        settings: runtime, device and numbers.
        classes: of all detectors.
        folder: an empty one, for exported detectors.
    """

    def __init__(self, settings: LatencyConfig, classes: Sequence[str], folder: Path) -> None:
        self.settings = settings
        self.classes = classes
        self.folder = folder
        self.detectors: dict[str, Detect] = {}

    def add(self, one: Loaded) -> None:
        """Make a detector ready.

        Raises:
            ExportError: it cannot be exported.
            DetSearchError: the runtime has no such device.
        """
        settings = self.settings
        if settings.runtime == "torch":
            model = one.model.to(settings.device)
            self.detectors[one.name] = lambda image: detect_in_torch(
                model, enter(image, one.resolution)
            )
            return
        path = self.folder / f"{len(self.detectors)}.onnx"
        about = describe(one.model, self.classes, one.resolution)
        write_onnx(one.model.cpu(), about, path)
        self.detectors[one.name] = OnnxDetector(path, settings.device, settings.threads)

    def add_where_possible(self, one: Loaded) -> str | None:
        """`add`, or the reason why that detector cannot be exported."""
        try:
            self.add(one)
        except ExportError as error:
            log.warning("%s is not timed: %s", one.name, error)
            return str(error)
        return None

    def time(self, index: DatasetIndex, seed: int = 0) -> Latencies:
        """Time all on images of val, interleaved in orders drawn from a seed."""
        settings = self.settings
        images = list(loaded(image_paths(index, "val", settings.images)))
        log.info("timing %d detectors on %d images", len(self.detectors), len(images))
        return timed(
            self.detectors,
            images,
            runtime=settings.runtime,
            device=settings.device,
            threads=settings.threads,
            rounds=settings.rounds,
            seed=seed,
        )
