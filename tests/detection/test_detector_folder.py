"""The detector folder: mmdet loads it in a fresh process, and detects what this process detects."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_shape import SHAPE
from telling_weights import randomise_norms

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.manifest import Origin
from pipeline.artifacts.publish import publish
from pipeline.artifacts.weights import save_weights
from pipeline.config.detector import DetectorConfig
from pipeline.config.detector import TestingConfig as Selection
from pipeline.data.index import SplitPaths
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.dataset import build_dataset
from pipeline.detection.detector_folder import detector_files, load_detector
from pipeline.detection.evaluation import detect
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.weights import WeightsMismatchError

REPOSITORY = Path(__file__).parents[2]
CLASSES = ["cat", "dog", "emu"]
AROUND = Surroundings(
    detector=DetectorConfig(image_scale=(96, 64)),
    testing=Selection(proposals=30, score_threshold=0.0, detections=20),
)


def _architecture(head: str = "ir_k5_d1_e1") -> Architecture:
    operations = {"backbone": "ir_k3_d1_e3", "neck": "sep_k5_d2", "head": head}
    return supernet_architecture(SHAPE, len(CLASSES), (1, 1, 1, 1), operations)


def _randomised(architecture: Architecture) -> Any:
    """A detector with batch statistics of its own, and scores that differ from box to box."""
    torch.manual_seed(0)
    model: Any = build_detector(architecture, AROUND)
    randomise_norms(model)
    for layer in (model.rpn_head.rpn_cls, model.rpn_head.rpn_reg, model.roi_head.bbox_head.fc_cls):
        layer.weight.data.normal_(0, 0.5)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "detector"
    architecture = _architecture()
    model = _randomised(architecture)
    origin = Origin(stage="train_detector", config={}, code=None, inputs={}, seed=0)
    files = detector_files(architecture, model.state_dict(), AROUND, CLASSES, {"AP": 0.5})
    publish(folder, files, origin)
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph-like image of a size that must be resized."""
    path = tmp_path_factory.mktemp("images") / "image.png"
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((130, 90), Image.Resampling.BICUBIC).save(path)
    return path


def test_the_folder_holds_what_the_format_says(folder: Path) -> None:
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == {
        "architecture.json",
        "weights.safetensors",
        "config.py",
        "classes.json",
        "metrics.json",
        "manifest.json",
        "history.jsonl",
    }
    assert json.loads((folder / "classes.json").read_text()) == CLASSES
    assert json.loads((folder / "metrics.json").read_text()) == {"AP": 0.5}
    assert Architecture.load(folder / "architecture.json") == _architecture()


def test_it_is_read_back_as_it_was(folder: Path) -> None:
    model, architecture, classes = load_detector(folder, AROUND)
    assert (architecture, classes, model.training) == (_architecture(), CLASSES, False)
    expected = _randomised(_architecture()).state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, expected[name]), name


IN_A_FRESH_PROCESS = """
import json, sys
import pipeline
from mmdet.apis import inference_detector, init_detector

folder, image = sys.argv[1:]
model = init_detector(f"{folder}/config.py", f"{folder}/weights.safetensors", device="cpu")
found = inference_detector(model, image).pred_instances
print("RESULT" + json.dumps({
    "classes": list(model.dataset_meta["classes"]), "boxes": found.bboxes.tolist(),
    "scores": found.scores.tolist(), "labels": found.labels.tolist(),
}))
"""


@pytest.mark.slow
def test_mmdet_loads_it_in_a_fresh_process(folder: Path, image: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS, str(folder), str(image)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    line = next(line for line in process.stdout.splitlines() if line.startswith("RESULT"))
    theirs = json.loads(line.removeprefix("RESULT"))
    assert theirs["classes"] == CLASSES
    ours = _detections(folder, image)
    assert len(ours) == len(theirs["boxes"]) > 10
    boxes = [[x, y, x + width, y + height] for x, y, width, height in (d["bbox"] for d in ours)]
    np.testing.assert_allclose(boxes, theirs["boxes"], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose([d["score"] for d in ours], theirs["scores"], rtol=0, atol=1e-5)
    assert [d["category_id"] for d in ours] == [(4, 6, 9)[label] for label in theirs["labels"]]
    # boxes are in the pixels of the image as it lies on the disk
    largest = np.array(boxes).max(0)
    assert 96 < largest[2] <= 130 and 64 < largest[3] <= 90


def _detections(folder: Path, image: Path) -> list[dict[str, Any]]:
    """As the workflow's evaluation finds them, on a dataset of the one image."""
    truth = image.with_name("truth.json")
    truth.write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": image.name, "width": 130, "height": 90}],
                "annotations": [],
                "categories": [
                    {"id": number, "name": name}
                    for number, name in zip((4, 6, 9), CLASSES, strict=True)
                ],
            }
        )
    )
    model, _, classes = load_detector(folder, AROUND)
    split = SplitPaths(truth, image.parent)
    return detect(model, build_dataset(split, classes, AROUND.detector, train=False))


def _copy(folder: Path, target: Path) -> Path:
    for path in folder.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())
    return target


def test_weights_of_another_network_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    broken = _copy(folder, tmp_path)
    other = build_detector(_architecture(head="conv_k3_d1"), AROUND)
    save_weights(broken / "weights.safetensors", other.state_dict())
    with pytest.raises(
        WeightsMismatchError,
        match=r"(?s)weights\.safetensors does not fit.*roi_head\.bbox_head\.blocks\.block1\.expand",
    ):
        load_detector(broken, AROUND)


@pytest.mark.parametrize("name", ["weights.safetensors", "architecture.json", "classes.json"])
def test_a_missing_file_is_named(folder: Path, name: str, tmp_path: Path) -> None:
    broken = _copy(folder, tmp_path)
    (broken / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load_detector(broken, AROUND)


@pytest.mark.slow
def test_mmdet_s_inferencer_takes_the_folder(folder: Path, image: Path, tmp_path: Path) -> None:
    from mmdet.apis import DetInferencer, inference_detector, init_detector

    files = str(folder / "config.py"), str(folder / "weights.safetensors")
    inferencer = DetInferencer(model=files[0], weights=files[1], device="cpu", show_progress=False)
    found = inferencer(str(image), out_dir=str(tmp_path), no_save_pred=True)["predictions"][0]
    single: Any = inference_detector(init_detector(*files, device="cpu"), str(image))
    assert found["scores"] == pytest.approx(single.pred_instances.scores.tolist(), abs=1e-4)
    assert found["scores"] and list((tmp_path / "vis").iterdir())
