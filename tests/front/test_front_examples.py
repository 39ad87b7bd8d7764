"""Detectors of a front are made again as they were judged: they find the same on single images."""

from pathlib import Path
from typing import Any

import pytest
import torch
from front_space import SPACE
from telling_weights import randomise

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.artifacts.manifest import MANIFEST, Manifest, Origin, input_record
from pipeline.artifacts.publish import Content, publish
from pipeline.artifacts.weights import save_weights
from pipeline.config.data import EmbeddedDetection
from pipeline.config.detector import DetectorConfig, Normalization, TestingConfig
from pipeline.config.evaluation import Evaluating
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.data.prepare import prepare_detection
from pipeline.detection.builder import Surroundings
from pipeline.detection.detector_folder import detector_files
from pipeline.front import judging
from pipeline.front.examples import found_on_images
from pipeline.front.judging import Judge
from pipeline.front.members import Gathering
from pipeline.front.records import Evaluated
from pipeline.front.table import STATISTICS
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.pool import pool_files

AROUND = Surroundings(
    detector=DetectorConfig(
        rpn_samples=16, proposals=20, roi_samples=8, image_scale=(96, 96), flip=0
    ),
    testing=TestingConfig(proposals=20, score_threshold=0.0, detections=20),
    normalization=Normalization(),
)
CPU = torch.device("cpu")


def _published(
    run: Path, folder: str, files: dict[str, Content], config: dict[str, Any], **inputs: str
) -> Path:
    read = {
        name.replace("__", "."): input_record(run / place / MANIFEST, run)
        for name, place in inputs.items()
    }
    origin = Origin(stage="made_up", config=config, code=None, inputs=read, seed=0)
    publish(run / folder, files, origin)
    return run / folder


def test_subnets_and_others_find_on_some_images_what_they_were_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    data = run / "data/detection"
    data.mkdir(parents=True)
    settings = EmbeddedDetection(
        image_size=96, train_images=10, val_images=2, test_images=4, object_size=(18, 48)
    )
    prepare_detection(settings, data)
    _published(run, "data/detection", {}, {})
    index = DatasetIndex.load(data / FILE_NAME)

    torch.manual_seed(0)
    pool = ElasticDetector(SPACE, AROUND)
    randomise(pool.model)
    pool.model.train(False)
    _published(run, "pool", pool_files(pool), {})
    largest = pool.get_active_subnet()
    alone = detector_files(
        largest.architecture, largest.weights, AROUND, index.classes, {}, (64, 64)
    )
    base = _published(run, "base/detector", alone, {})

    told: list[list[dict[str, Any]]] = []
    detect = judging.detect

    def noted(*arguments: Any, **keywords: Any) -> list[dict[str, Any]]:
        told.append(detect(*arguments, **keywords))
        return told[-1]

    monkeypatch.setattr(judging, "detect", noted)
    work = WorkFolder(tmp_path / "work", "sha256:" + "0" * 64)
    gathering = Gathering(Judge(index, AROUND, batch_size=1), 20, None, CPU, work)
    member = Evaluated(subnet=SPACE.smallest, ap=0.1, macs=1000, milliseconds=None)
    gathering.add_subnets(pool, [member], Recalibration(images=4, batch_size=2))
    gathering.add_stock({"base": base}, run)
    config = {
        "normalization": AROUND.normalization.model_dump(mode="json"),
        "detector": AROUND.detector.model_dump(mode="json"),
        "testing": AROUND.testing.model_dump(mode="json"),
    }
    statistics = gathering.statistics
    front = _published(
        run,
        "front",
        {STATISTICS: lambda path: save_weights(path, statistics)},
        config,
        data="data/detection",
        pool="pool",
        stock__base="base/detector",
    )
    manifest = Manifest.load(front / MANIFEST)

    on_test = told[1::2]
    assert [row.name for row in gathering.rows] == ["subnet_0", "base"] and len(on_test) == 2
    ids = sorted({one["image_id"] for one in on_test[0]})
    assert len(ids) == 4
    for row, whole in zip(gathering.rows, on_test, strict=True):
        found = found_on_images(run, manifest, Evaluating(), CPU, row, {ids[2], ids[0]})
        assert found and found == [one for one in whole if one["image_id"] in (ids[0], ids[2])]
    assert on_test[0] != on_test[1]
