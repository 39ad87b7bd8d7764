"""A detector of a front as files: detector folder, ONNX file, model card."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

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
from pipeline.front.members import statistics_of
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
    data = dataset_of(run, manifest)
    model, architecture, weights, around = made_again(run, row, manifest)
    metrics = {"format": 1, **row.model_dump(mode="json", include={"val", "test", "latency"})}
    files = detector_files(architecture, weights, around, data.classes, metrics, row.resolution)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / ONNX
        write_onnx(model, describe(model, data.classes, row.resolution), path)
        exported = OnnxDetector(path)
        parity = compare(model, exported, loaded(image_paths(data, "val", COMPARED)))
        parity.check()
        content = path.read_bytes()
    card = model_card(run.absolute().name, front, picked, manifest, data, parity)
    return {**files, ONNX: content, CARD: card.encode()}


class MadeAgain(NamedTuple):
    """A detector of the front as it was judged: mmdet's in eval mode, and what it is made from."""

    model: Any
    architecture: Architecture
    weights: dict[str, Tensor]
    around: Surroundings


def made_again(run: Path, row: Row, manifest: Manifest) -> MadeAgain:
    """The detector of a row of the front; arguments and errors as of `taken_files`."""
    sections = {name: manifest.config[name] for name in DetectorSections.model_fields}
    settings = DetectorSections.model_validate(sections)
    around = Surroundings(settings.detector, settings.testing, settings.normalization)
    if row.subnet:
        architecture, weights = _subnet(run, row, manifest, around)
    else:
        folder = _input(run, manifest, f"stock.{row.name}")
        architecture = Architecture.load(folder / ARCHITECTURE)
        weights, _ = load_weights(folder / WEIGHTS)
    model: Any = build_detector(architecture, around)
    load_strictly(model, weights, run)
    return MadeAgain(model.eval(), architecture, weights, around)


def dataset_of(run: Path, manifest: Manifest) -> DatasetIndex:
    """The dataset on which the front was judged and timed."""
    return DatasetIndex.load(_input(run, manifest, "data") / FILE_NAME)


def _subnet(
    run: Path, row: Row, manifest: Manifest, around: Surroundings
) -> tuple[Architecture, dict[str, Tensor]]:
    """A subnet out of the pool, with the batch statistics that were measured for the front."""
    assert row.subnet is not None
    pool = load_pool(_input(run, manifest, "pool"), around)
    pool.set_active_subnet(row.subnet)
    alone = pool.get_active_subnet()
    measured, _ = load_weights(run / "front" / STATISTICS)
    return alone.architecture, {**alone.weights, **statistics_of(row.name, measured)}


def _input(run: Path, manifest: Manifest, name: str) -> Path:
    """The folder of an artifact that the front was made from, unaltered.

    Raises:
        DetSearchError: it is missing or altered.
    """
    path = run / manifest.inputs[name].path
    open_artifact(path)
    return path.parent
