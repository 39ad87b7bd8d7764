"""The stage that converts a user's mmdet detector: a detector folder, or one line that says why not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.apis import init_detector

from pipeline.artifacts.manifest import Origin, verify
from pipeline.artifacts.publish import publish
from pipeline.config.detector import DetectorConfig, Normalization, TestingConfig
from pipeline.data.embedded_sources import CLASSES
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.detector_folder import load_detector, mmdet_config
from pipeline.runner.stage import stage_main
from pipeline.search_space.architecture import Architecture, ConvFcHead, FpnNeck, Rpn
from pipeline.search_space.standard import resnet_backbone
from pipeline.stages import convert_base

BASE = Architecture(
    family="faster_rcnn",
    classes=len(CLASSES),
    input_size=(64, 96),
    backbone=resnet_backbone(18, base_channels=4),
    neck=FpnNeck(channels=8),
    rpn=Rpn(channels=8, anchor_scale=4),
    head=ConvFcHead(roi_size=3, fcs=(16, 16)),
)


def _run(folder: Path, config: Path, checkpoint: Path) -> tuple[int, Path]:
    index = {"format": 1, "kind": "detection", "source": "embedded", "classes": CLASSES}
    split = {"annotations": "a.json", "images": "images"}
    index |= {"splits": {"train": split, "val": split}, "statistics": {}}
    origin = Origin(stage="prepare_detection_data", config={}, code=None, inputs={}, seed=0)
    publish(folder / "data", {"dataset.json": json.dumps(index).encode()}, origin)
    sections = {
        "normalization": Normalization().model_dump(mode="json"),
        "detector": DetectorConfig().model_dump(mode="json"),
        "testing": TestingConfig().model_dump(mode="json"),
        "base": {"config": str(config), "checkpoint": str(checkpoint), "input_size": [64, 96]},
    }
    argv = ["--settings", json.dumps(sections), "--data", str(folder / "data/dataset.json")]
    argv += ["--manifest", str(folder / "base/manifest.json"), "--run-folder", str(folder)]
    try:
        stage_main(
            convert_base.run,
            convert_base.Settings,
            inputs=("data",),
            files=convert_base.given_files,
            argv=argv,
        )
    except SystemExit as stop:
        return int(stop.code or 0), folder / "base"
    return 0, folder / "base"


def _own(folder: Path, architecture: Architecture) -> tuple[Path, Path, Any]:
    """A config and a checkpoint as a detector of ours gives them: standard layers, by mmdet's classes."""
    torch.manual_seed(0)
    model = build_detector(architecture, Surroundings())
    config, checkpoint = folder / "own.py", folder / "own.pth"
    config.write_text(mmdet_config(architecture, Surroundings(), CLASSES[: architecture.classes]))
    torch.save({"state_dict": model.state_dict()}, checkpoint)
    return config, checkpoint, model


def test_it_publishes_a_detector_folder(tmp_path: Path) -> None:
    config, checkpoint, own = _own(tmp_path, BASE)
    code, folder = _run(tmp_path, config, checkpoint)
    assert code == 0 and verify(folder) == []
    model, architecture, classes = load_detector(folder, Surroundings())
    assert architecture.model_copy(update={"provenance": {}}) == BASE
    assert architecture.provenance["checkpoint"]["digest"].startswith("sha256:")
    assert tuple(classes) == tuple(CLASSES)
    expected = own.state_dict()
    for loaded in (
        model,
        init_detector(folder / "config.py", str(folder / "weights.safetensors"), device="cpu"),
    ):
        assert all(torch.equal(v, expected[n]) for n, v in loaded.state_dict().items())


def test_wrong_classes_end_in_one_line_and_nothing_is_published(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config, checkpoint, _ = _own(tmp_path, BASE.model_copy(update={"classes": 7}))
    code, folder = _run(tmp_path, config, checkpoint)
    assert code == 1 and not (folder / "manifest.json").exists()
    errors = capfd.readouterr().err
    assert f"{config} cannot be the base detector: it has 7 classes, the dataset 10" in errors
    assert "Traceback" not in errors
