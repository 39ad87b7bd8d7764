"""How long exported detectors take for an image, measured side by side."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.artifacts.manifest import installed_version
from pipeline.errors import DetSearchError

RUNTIMES = {"onnxruntime": ("onnxruntime", "onnxruntime-gpu")}
"""The distributions that may provide a runtime; for a GPU one takes the place of the other."""
BESIDE = ("numpy", "opencv-python-headless")
"""Packages that a latency hangs on, too."""
Detect = Callable[[NDArray[np.uint8]], object]
"""From the pixels of an image (h, w, 3), RGB, to its boxes."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelLatency(_Record):
    """One detector's times, in milliseconds for an image."""

    model: str
    median: float
    lower_quartile: float
    upper_quartile: float
    least: float
    runs: int

    @property
    def spread(self) -> float:
        """The interquartile range."""
        return self.upper_quartile - self.lower_quartile


class Latencies(_Record):
    """Detectors that were measured together, and on what. Times of two records do not compare."""

    format: Literal[1] = 1
    runtime: str
    device: str
    threads: int
    """Of the runtime and of OpenCV, which resizes the images."""
    images: int
    rounds: int
    warm_up: int
    seed: int
    packages: dict[str, str]
    models: tuple[ModelLatency, ...]


def interleaved_seconds(
    detectors: Mapping[str, Detect],
    images: Sequence[NDArray[np.uint8]],
    *,
    rounds: int,
    warm_up: int = 1,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time detectors one image at a time, in turns.

    In each round every detector sees every image once; image by image, in an order drawn anew, so that
    what drifts (heat, other processes) and what came before hit all alike.

    Args:
        detectors: by name.
        images: (h, w, 3), RGB.
        rounds: that are timed.
        warm_up: rounds before them that are not.
        seed: of the orders.
        clock: seconds.

    Returns:
        The seconds of each detector's runs: `rounds` times the number of images.

    Raises:
        DetSearchError: there is nothing to time.
    """
    if not detectors or not images or rounds < 1:
        raise DetSearchError("a latency needs at least one detector, one image and one round")
    generator = np.random.default_rng(seed)
    names = list(detectors)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-warm_up, rounds):
        for image in images:
            for place in generator.permutation(len(names)):
                name = names[place]
                began = clock()
                detectors[name](image)
                took = clock() - began
                if number >= 0:
                    seconds[name].append(took)
    return seconds


def summary(model: str, seconds: Sequence[float]) -> ModelLatency:
    """Median, quartiles and least of a detector's runs."""
    times = 1000 * np.asarray(seconds)
    lower, median, upper = np.percentile(times, (25, 50, 75))
    return ModelLatency(
        model=model,
        median=float(median),
        lower_quartile=float(lower),
        upper_quartile=float(upper),
        least=float(times.min()),
        runs=len(times),
    )


def measure(
    paths: Sequence[Path],
    images: Sequence[NDArray[np.uint8]],
    *,
    device: str = "cpu",
    threads: int = 1,
    rounds: int = 20,
    warm_up: int = 3,
    seed: int = 0,
) -> Latencies:
    """Measure exported detectors together: batch 1, from pixels in memory to boxes, resizing included.

    Args:
        paths: their files; in the record they have these names.
        images: (h, w, 3), RGB: the same for all.
        device: `cpu`, `cuda` or `cuda:<number>`.
        threads: of the runtime, and of OpenCV.
        rounds: that every detector sees every image.
        warm_up: rounds before that are not timed.
        seed: of the order in a round.

    Raises:
        DetSearchError: a file is given twice or is none, or there is no such device.
    """
    from pipeline.deploy.session import OnnxDetector

    if len({path.resolve() for path in paths}) < len(paths):
        raise DetSearchError("a detector is given twice")
    detectors = {str(path): OnnxDetector(path, device, threads) for path in paths}
    return timed(
        detectors,
        images,
        runtime="onnxruntime",
        device=device,
        threads=threads,
        rounds=rounds,
        warm_up=warm_up,
        seed=seed,
    )


def timed(
    detectors: Mapping[str, Detect],
    images: Sequence[NDArray[np.uint8]],
    *,
    runtime: Literal["onnxruntime", "torch"],
    device: str,
    threads: int,
    rounds: int,
    warm_up: int = 3,
    seed: int = 0,
) -> Latencies:
    """`measure` for detectors that are loaded already.

    Args:
        detectors: by the names that they have in the record.
        images: (h, w, 3), RGB: the same for all.
        runtime: what runs the detectors.
        device: where they run.
        threads: with which they were loaded; OpenCV's, and torch's where that runs them, are set here.
        rounds: that every detector sees every image.
        warm_up: rounds before that are not timed.
        seed: of the order in a round.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        with _torch_threads(threads) if runtime == "torch" else nullcontext():
            seconds = interleaved_seconds(
                detectors, images, rounds=rounds, warm_up=warm_up, seed=seed
            )
    finally:
        cv2.setNumThreads(before)
    return Latencies(
        runtime=runtime,
        device=device_name(device),
        threads=threads,
        images=len(images),
        rounds=rounds,
        warm_up=warm_up,
        seed=seed,
        packages={"python": platform.python_version()}
        | {name: installed_version(*RUNTIMES.get(name, (name,))) for name in (runtime, *BESIDE)},
        models=tuple(summary(name, times) for name, times in seconds.items()),
    )


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def device_name(device: str) -> str:
    """What a person calls the device: the model of CPU or GPU."""
    if device != "cpu":
        import torch

        return torch.cuda.get_device_name(device)
    file = Path("/proc/cpuinfo")
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    named: Any = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
