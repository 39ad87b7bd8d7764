"""A detector of a front as files: detector folder, ONNX file, model card."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from torch import Tensor

from pipeline.artifacts.manifest import Manifest, open_artifact
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, load_weights
from pipeline.config.detector import DetectorSections
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.deploy.parity import compare
from pipeline.deploy.sample_images import loaded
from pipeline.deploy.session import OnnxDetector
from pipeline.deploy.writing import describe, write_onnx
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.detector_folder import detector_files
from pipeline.front.judging import image_paths
from pipeline.front.model_card import model_card
from pipeline.front.picking import Picked
from pipeline.front.table import STATISTICS, Front, Row
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.supernet.weights import load_strictly
from pipeline.teacher_pool.pool import load_pool

ONNX, CARD = "detector.onnx", "MODEL_CARD.md"
COMPARED = 8
"""Images of val on which the exported detector is compared."""


def taken_files(run: Path, front: Front, picked: Picked, manifest: Manifest) -> dict[str, Content]:
    """The files of the folder that a picked detector gets.

    Args:
        run: the run's folder.
        front: that it was picked from.
        picked: the detector.
        manifest: of the front.

    Raises:
        DetSearchError: what it is made from is missing or altered, or it cannot be exported.
    """
    row = picked.best
    sections = {name: manifest.config[name] for name in DetectorSections.model_fields}
    settings = DetectorSections.model_validate(sections)
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    data = DatasetIndex.load(_input(run, manifest, "data") / FILE_NAME)
    if row.subnet:
        architecture, weights = _subnet(run, row, manifest, around)
    else:
        folder = _input(run, manifest, f"stock.{row.name}")
        architecture = Architecture.load(folder / ARCHITECTURE)
        weights, _ = load_weights(folder / WEIGHTS)
    metrics = {"format": 1, **row.model_dump(mode="json", include={"val", "test", "latency"})}
    files = detector_files(architecture, weights, around, data.classes, metrics, row.resolution)
    model: Any = build_detector(architecture, around)
    load_strictly(model, weights, run)
    model.eval()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / ONNX
        write_onnx(model, describe(model, data.classes, row.resolution), path)
        exported = OnnxDetector(path)
        parity = compare(model, exported, loaded(image_paths(data, "val", COMPARED)))
        parity.check()
        content = path.read_bytes()
    card = model_card(run.absolute().name, front, picked, manifest, data, parity)
    return {**files, ONNX: content, CARD: card.encode()}


def _subnet(
    run: Path, row: Row, manifest: Manifest, around: Surroundings
) -> tuple[Architecture, dict[str, Tensor]]:
    """A subnet out of the pool, with the batch statistics that were measured for the front."""
    assert row.subnet is not None
    pool = load_pool(_input(run, manifest, "pool"), around)
    pool.set_active_subnet(row.subnet)
    alone = pool.get_active_subnet()
    measured, _ = load_weights(run / "front" / STATISTICS)
    own = f"{row.name}/"
    statistics = {
        name.removeprefix(own): value for name, value in measured.items() if name.startswith(own)
    }
    return alone.architecture, {**alone.weights, **statistics}


def _input(run: Path, manifest: Manifest, name: str) -> Path:
    """The folder of an artifact that the front was made from, unaltered.

    Raises:
        DetSearchError: it is missing or altered.
    """
    path = run / manifest.inputs[name].path
    open_artifact(path)
    return path.parent
