"""COCO's numbers against pycocotools, and the way from a model's boxes to COCO's results."""

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.detection import evaluation
from pipeline.detection.evaluation import METRICS, coco_metrics, detect, seconds_per_image

CATEGORIES = ({"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}, {"id": 11, "name": "emu"})


def _dataset(seed: int, largest: int = 250) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Random truth (crowds, all sizes, an image without objects) and detections near it and astray."""
    rng = np.random.default_rng(seed)
    images = [
        {"id": 10 * n + 5, "width": 300, "height": 300, "file_name": f"{n}.png"} for n in range(12)
    ]
    annotations, detections = [], []
    for image in images[1:]:
        for _ in range(rng.integers(1, 7)):
            size = np.exp(rng.uniform(np.log(5), np.log(largest), 2))
            corner = rng.uniform(0, 300 - size)
            box = [*corner.tolist(), *size.tolist()]
            category = int(rng.choice([3, 7, 11]))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": category,
                    "bbox": box,
                    "area": float(size.prod()),
                    "iscrowd": int(rng.random() < 0.1),
                }
            )
            for _ in range(rng.integers(0, 4)):
                shaken = np.array(box) + rng.normal(0, 0.15, 4) * [size[0], size[1], *size]
                detections.append(_found(image["id"], category, np.abs(shaken), rng))
        for _ in range(3):
            astray = rng.uniform(1, 100, 4)
            detections.append(_found(image["id"], int(rng.choice([3, 7, 11])), astray, rng))
    return {
        "images": images,
        "annotations": annotations,
        "categories": list(CATEGORIES),
    }, detections


def _found(image: int, category: int, box: Any, rng: np.random.Generator) -> dict[str, Any]:
    # distinct scores: of equal ones the order is free
    return {"image_id": image, "category_id": category, "bbox": box.tolist(), "score": rng.random()}


def _by_pycocotools(path: Path, detections: list[dict[str, Any]]) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO(str(path))
        evaluator = COCOeval(truth, truth.loadRes(detections), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return list(evaluator.stats)


def _write(truth: dict[str, Any], folder: Path) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps(truth))
    return path


@pytest.mark.parametrize("seed", range(4))
def test_the_twelve_numbers_are_those_of_pycocotools(seed: int, tmp_path: Path) -> None:
    truth, detections = _dataset(seed)
    path = _write(truth, tmp_path)
    metrics = coco_metrics(path, detections)
    expected = _by_pycocotools(path, detections)
    assert " ".join(METRICS) == "AP AP50 AP75 APS APM APL AR1 AR10 AR100 ARS ARM ARL"
    for name, value in zip(METRICS, expected, strict=True):
        # what pycocotools prints as -1 is not defined
        assert metrics[name] == (None if value == -1 else pytest.approx(value, abs=1e-6)), name
    assert 0 < metrics["AP"] < metrics["AP50"] < 1
    # AP is the mean over classes
    assert list(metrics["AP_per_class"]) == ["cat", "dog", "emu"]
    assert sum(metrics["AP_per_class"].values()) / 3 == pytest.approx(metrics["AP"], abs=1e-6)


def test_what_has_no_object_is_undefined(tmp_path: Path) -> None:
    # nothing as large as 96²
    truth, detections = _dataset(5, largest=60)
    truth["categories"].append({"id": 12, "name": "fox"})
    path = _write(truth, tmp_path)
    metrics = coco_metrics(path, detections)
    assert _by_pycocotools(path, detections)[5] == -1
    assert metrics["APL"] is None and metrics["ARL"] is None
    assert metrics["AP_per_class"]["fox"] is None
    assert metrics["AP"] > 0 and metrics["AP_per_class"]["cat"] > 0
    json.dumps(metrics, allow_nan=False)


def test_no_detection_at_all_is_zero(tmp_path: Path) -> None:
    truth, _ = _dataset(6)
    metrics = coco_metrics(_write(truth, tmp_path), [])
    assert [metrics[name] for name in METRICS] == [0.0] * 12
    assert metrics["AP_per_class"] == {"cat": 0.0, "dog": 0.0, "emu": 0.0}


def test_perfect_detections_score_one(tmp_path: Path) -> None:
    truth, _ = _dataset(7)
    perfect = [
        {key: box[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for box in truth["annotations"]
    ]
    metrics = coco_metrics(_write(truth, tmp_path), perfect)
    assert [metrics[name] for name in ("AP", "AP50", "AP75", "AR100")] == pytest.approx([1.0] * 4)


class _Images:
    """A test dataset of five images, whose labels 0 and 1 are COCO's categories 7 and 3."""

    cat_ids = (7, 3)

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = DetDataSample(metainfo={"img_id": 100 + index})
        return {"inputs": torch.full((3, 4, 4), index), "data_samples": sample}


class _Model(torch.nn.Module):
    """Finds as many boxes as the number of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.batches: list[int] = []

    def test_step(self, batch: dict[str, Any]) -> list[Any]:
        assert not self.training and not torch.is_grad_enabled()
        self.batches.append(len(batch["inputs"]))
        for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
            count = int(image.max())
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor([[1.0, 2.0, 4.0, 8.0]]).repeat(count, 1),
                scores=torch.arange(count) / 8,
                labels=torch.arange(count) % 2,
            )
        return batch["data_samples"]


@pytest.mark.parametrize(("batch_size", "batches"), [(1, [1] * 5), (2, [2, 2, 1]), (8, [5])])
def test_boxes_become_coco_s_results(batch_size: int, batches: list[int]) -> None:
    model = _Model().train()
    found = detect(model, _Images(), batch_size)
    assert model.training and model.batches == batches
    assert [detection["image_id"] for detection in found] == [101] + [102] * 2 + [103] * 3 + [
        104
    ] * 4
    assert [detection["category_id"] for detection in found[-4:]] == [7, 3, 7, 3]
    assert [detection["score"] for detection in found[-4:]] == [0, 0.125, 0.25, 0.375]
    assert all(detection["bbox"] == [1, 2, 3, 6] for detection in found)


def test_the_mode_is_restored_after_an_error() -> None:
    model = _Model().train()
    broken = SimpleNamespace(__len__=lambda: 1)
    with pytest.raises(TypeError):
        detect(model, broken)
    assert model.training


def test_speed_is_the_median_over_single_images(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _Model().eval()
    # images of 1, 2 and 9 seconds
    clock = iter([10.0, 11.0, 20.0, 22.0, 30.0, 39.0])
    with monkeypatch.context() as patched:
        patched.setattr(evaluation.time, "perf_counter", lambda: next(clock))
        timed = seconds_per_image(model, _Images(), images=3)
    assert timed["seconds_per_image"] == 2.0
    assert (timed["lower_quartile"], timed["upper_quartile"]) == (1.5, 5.5)
    model = _Model().eval()
    speed = seconds_per_image(model, _Images(), images=3)
    # one to warm up
    assert model.batches == [1] * 4
    assert speed["images"] == 3 and speed["device"] == "cpu" and speed["seconds_per_image"] > 0
    assert seconds_per_image(model, _Images(), images=50)["images"] == 5
