"""Detectors of the front that were judged before a kill are not judged again, and keep their numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from front_space import SPACE
from safetensors.torch import save
from telling_weights import randomise

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.artifacts.manifest import Origin
from pipeline.artifacts.publish import publish
from pipeline.config.data import EmbeddedDetection
from pipeline.config.detector import DetectorConfig, TestingConfig
from pipeline.config.evaluation import LatencyConfig
from pipeline.config.teacher_pool import Recalibration
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.data.prepare import prepare_detection
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.detector_folder import detector_files
from pipeline.front import judging
from pipeline.front.clocking import Clock, Loaded
from pipeline.front.judging import Judge
from pipeline.front.members import Gathering
from pipeline.front.records import Evaluated, record_bytes
from pipeline.front.table import Front, compared
from pipeline.teacher_pool import pool as pool_module
from pipeline.teacher_pool.detector import ElasticDetector

AROUND = Surroundings(
    detector=DetectorConfig(
        rpn_samples=16, proposals=20, roi_samples=8, image_scale=(96, 96), flip=0
    ),
    testing=TestingConfig(proposals=20, score_threshold=0.0, detections=20),
)
MEMBERS = tuple(
    Evaluated(subnet=subnet, ap=0.1, macs=1000, milliseconds=float(number + 1))
    for number, subnet in enumerate(
        (SPACE.smallest, *(SPACE.sample(np.random.default_rng(k)) for k in range(2)), SPACE.largest)
    )
)
STATISTICS = Recalibration(images=4, batch_size=2)
LATENCY = LatencyConfig(runtime="torch", images=1, rounds=2)


class _Killed(Exception):
    pass


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    folder = tmp_path_factory.mktemp("data")
    settings = EmbeddedDetection(
        image_size=96, train_images=10, val_images=3, test_images=2, object_size=(18, 48)
    )
    prepare_detection(settings, folder)
    return Judge(DatasetIndex.load(folder / FILE_NAME), AROUND, batch_size=2)


@pytest.fixture(scope="module")
def pool() -> ElasticDetector:
    torch.manual_seed(0)
    elastic = ElasticDetector(SPACE, AROUND)
    randomise(elastic.model)
    elastic.model.train(False)
    return elastic


def _judged(
    judge: Judge, pool: ElasticDetector, work: Path, clock: Clock | None = None
) -> tuple[Gathering, bytes]:
    """A whole run of the stage, from what its work folder holds, and its front without times."""
    folder = WorkFolder(work, "sha256:" + "0" * 64)
    gathering = Gathering(judge, 20, clock, torch.device("cpu"), folder)
    gathering.add_subnets(pool, MEMBERS, STATISTICS)
    front = Front(split="test", evaluated=len(MEMBERS), rows=compared(gathering.rows))
    return gathering, record_bytes(front)


def test_a_front_is_the_same_after_two_kills_and_no_member_is_judged_or_recalibrated_twice(
    judge: Judge, pool: ElasticDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, expected = _judged(judge, pool, tmp_path / "whole")

    detected: list[int] = []
    recalibrated: list[int] = []
    detect, recalibrate = judging.detect, pool_module.recalibrate
    last = 2

    def counted(model: Any, *arguments: Any, **keywords: Any) -> Any:
        # of each member, val and then test
        if len(detected) == 2 * last + 1:
            raise _Killed
        detected.append(sum(value.numel() for value in model.parameters()))
        return detect(model, *arguments, **keywords)

    def noted(*arguments: Any) -> None:
        recalibrated.append(len(detected) // 2)
        recalibrate(*arguments)

    monkeypatch.setattr(judging, "detect", counted)
    monkeypatch.setattr(pool_module, "recalibrate", noted)
    work = tmp_path / "work"
    with pytest.raises(_Killed):  # while test is judged of the third member
        _judged(judge, pool, work)
    assert recalibrated == [0, 1, 2]
    del detected[2 * last :]
    last = 3
    with pytest.raises(_Killed):  # the third anew, and half of the fourth
        _judged(judge, pool, work)
    assert recalibrated == [0, 1, 2, 2, 3]
    del detected[2 * last :]
    last = len(MEMBERS)
    clock = Clock(LATENCY, judge.index.classes, tmp_path)
    resumed, found = _judged(judge, pool, work, clock)
    assert recalibrated == [0, 1, 2, 2, 3, 3]
    assert len(detected) == 2 * len(MEMBERS)
    assert found == expected
    assert save(resumed.statistics) == save(whole.statistics)

    # times are taken of all, of the kept ones, too
    record = resumed.time()
    assert record and [each.model for each in record.models] == [row.name for row in whole.rows]
    assert all(row.latency and row.latency.runs == 2 for row in resumed.rows)


class _Elsewhere(Clock):
    """Takes what it times to another device, as one with `latency.device: cuda` does."""

    def add(self, one: Loaded) -> None:
        assert next(one.model.parameters()).device.type == "cpu", "is judged before it is timed"
        one.model.to("meta")
        self.timed = one.model


def test_a_detector_of_its_own_is_timed_where_the_latency_is_measured(
    judge: Judge, tmp_path: Path
) -> None:
    architecture = SPACE.architecture(SPACE.smallest)
    model: Any = build_detector(architecture, AROUND)
    names = list(judge.index.classes)
    publish(
        tmp_path / "stock",
        detector_files(architecture, model.state_dict(), AROUND, names, {}),
        Origin(stage="train_detector", config={}, code=None, inputs={}, seed=0),
    )
    for _ in range(2):  # the second time it was judged before
        clock = _Elsewhere(LATENCY, names, tmp_path)
        work = WorkFolder(tmp_path / "work", "sha256:" + "0" * 64)
        gathering = Gathering(judge, 20, clock, torch.device("cpu"), work)
        gathering.add_stock({"stock": tmp_path / "stock"}, tmp_path)
        assert next(clock.timed.parameters()).device.type == "meta", "was not taken back"
