"""An exported detector, run by onnxruntime: no PyTorch and no mmdet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.deploy.entrance import Entered, enter
from pipeline.deploy.metadata import ExportedDetector, NoExportError
from pipeline.errors import DetSearchError

IMAGE, EXTENT = "image", "extent"
"""The graph's inputs; the second where its size is fixed."""
CUDA = "CUDAExecutionProvider"
"""As onnxruntime calls what computes on NVIDIA's GPUs."""
OUTPUTS = ("boxes", "scores", "labels")


@dataclass(frozen=True)
class Found:
    """Detections of one image by falling score, in the names that mmdet's have.

    Attributes:
        bboxes: (D, 4) as x1, y1, x2, y2, pixels.
        scores: (D,).
        labels: (D,).
    """

    bboxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    def above(self, score: float) -> Found:
        """Those of at least this score."""
        chosen = self.scores >= score
        return Found(self.bboxes[chosen], self.scores[chosen], self.labels[chosen])

    def coco_results(self, image: int, categories: Sequence[int]) -> list[dict[str, Any]]:
        """In COCO's result format.

        Args:
            image: its id.
            categories: the id of each label.
        """
        return [
            {
                "image_id": image,
                "category_id": categories[label],
                "bbox": [left, top, right - left, bottom - top],
                "score": score,
            }
            for (left, top, right, bottom), score, label in zip(
                self.bboxes.tolist(), self.scores.tolist(), self.labels.tolist(), strict=True
            )
        ]


class OnnxDetector:
    """A detector out of a file of `pipeline.export`.

    Args:
        path: the file.
        device: `cpu`, `cuda` or `cuda:<number>`.
        threads: of the runtime; its own choice where None.

    Raises:
        NoExportError: there is no such file, onnxruntime cannot load it, or it is another network.
        DetSearchError: onnxruntime has no such device.
    """

    def __init__(self, path: Path, device: str = "cpu", threads: int | None = None) -> None:
        self.session = open_session(path, device, threads)
        self.about = ExportedDetector.of(
            self.session.get_modelmeta().custom_metadata_map, str(path)
        )

    def enter(self, image: NDArray[np.uint8]) -> Entered:
        """An image (h, w, 3), RGB, as the graph takes it."""
        return enter(image, self.about.image_scale, self.about.size)

    def run(self, entered: Entered) -> Found:
        """Detections in pixels of the image that has entered."""
        inputs: dict[str, Any] = {IMAGE: entered.pixels}
        if self.about.size is not None:
            inputs[EXTENT] = np.array(entered.extent, np.int64)
        found: Any = self.session.run(list(OUTPUTS), inputs)
        return Found(*found)

    def __call__(self, image: NDArray[np.uint8]) -> Found:
        """Detections of an image (h, w, 3), RGB, in its own pixels."""
        entered = self.enter(image)
        found = self.run(entered)
        return Found(found.bboxes / entered.scale, found.scores, found.labels)


def open_session(path: Path, device: str = "cpu", threads: int | None = None) -> Any:
    """Onnxruntime's session of a file.

    Args:
        path: the file.
        device: `cpu`, `cuda` or `cuda:<number>`.
        threads: of the runtime; its own choice where None.

    Raises:
        NoExportError: there is no such file, or onnxruntime cannot load it.
        DetSearchError: onnxruntime has no such device.
    """
    # half a second that who uses no ONNX file need not wait
    import onnxruntime

    if not path.is_file():
        raise NoExportError(f"no such file: {path}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
        # of several detectors in a process, those that wait must not take a core
        options.add_session_config_entry("session.force_spinning_stop", "1")
    providers = _providers(device)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    # onnxruntime's errors have no common base but this
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise NoExportError(f"{path} cannot be loaded by onnxruntime: {reason}") from error
    _require(session, device)
    return session


def _require(session: Any, device: str) -> None:
    """Raise where a session has taken the CPU in a GPU's place, as onnxruntime does without a word."""
    taken = session.get_providers()
    if device.partition(":")[0] != "cpu" and taken[0] != CUDA:
        raise DetSearchError(
            f"device is {device}, and onnxruntime has taken {taken[0]}: it cannot load its CUDA. Its version "
            "and that of the CUDA libraries have to fit (docs/howto/deploy.md)"
        )
    # else it would go on there after an error, too
    session.disable_fallback()


def _providers(device: str) -> list[Any]:
    import onnxruntime

    kind, _, number = device.partition(":")
    if kind == "cpu":
        return ["CPUExecutionProvider"]
    if CUDA not in onnxruntime.get_available_providers():
        raise DetSearchError(
            f"device is {device}, but this onnxruntime has no CUDA: install onnxruntime-gpu in its place"
        )
    # operators that have no kernel there run on the CPU
    return [(CUDA, {"device_id": int(number or 0)}), "CPUExecutionProvider"]
