"""An exported detector finds what the PyTorch detector finds: in pixels, in AP, and as a program."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from exported_detectors import ALL_KINDS, AROUND, CLASSES, Exported, small_detector
from PIL import Image

from pipeline import export, predict
from pipeline.config.run import Computing
from pipeline.data.index import SplitPaths
from pipeline.deploy.accuracy import exported_metrics
from pipeline.deploy.entrance import enter
from pipeline.deploy.graph import DetectorGraph
from pipeline.deploy.layers import ExportError
from pipeline.deploy.metadata import NoExportError
from pipeline.deploy.parity import Parity, compare, detect_in_torch, matched
from pipeline.deploy.sample_images import loaded, made_images
from pipeline.deploy.session import Found, OnnxDetector
from pipeline.deploy.writing import describe, write_onnx
from pipeline.detection.dataset import build_dataset
from pipeline.detection.evaluation import coco_metrics, detect
from pipeline.training.computing import computed

# the kinds are exported once, by one process
pytestmark = pytest.mark.xdist_group("exported")
Export = Callable[[str], Exported]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_the_graph_is_mmdet_s_prediction_before_it_is_exported(kind: str) -> None:
    model, _ = small_detector(kind)
    graph = DetectorGraph(model).eval()
    for image in made_images(160)[1:3]:
        entered = enter(image, (160, 128))
        with torch.no_grad():
            boxes, scores, labels = graph(torch.from_numpy(entered.pixels))
        theirs = detect_in_torch(model, entered)
        ours = Found(boxes.numpy(), scores.numpy(), labels.numpy())
        assert len(theirs.scores) == len(ours.scores) == len(matched(theirs, ours)) == 40


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_onnxruntime_finds_what_pytorch_finds(
    kind: str, exported: Export, images: list[Path]
) -> None:
    made = exported(kind)
    parity = compare(made.model, OnnxDetector(made.onnx), loaded(images))
    print(f"{kind}: {parity}")
    assert (parity.images, parity.detections) == (5, 200)
    assert parity.unmatched <= 1
    # matched detections are within the limits by definition; they are much nearer
    assert parity.pixels < 1e-3 and parity.score < 1e-5


def test_a_detector_that_computes_in_bf16_is_exported_in_float32(tmp_path: Path) -> None:
    model, _ = small_detector("pool subnet")
    about = describe(model, CLASSES, (160, 128))
    with computed(Computing(precision="bf16")):
        write_onnx(model, about, tmp_path / "bf16.onnx")
    write_onnx(model, about, tmp_path / "float32.onnx")
    assert (tmp_path / "bf16.onnx").read_bytes() == (tmp_path / "float32.onnx").read_bytes()
    OnnxDetector(tmp_path / "bf16.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["searched", "MobileNetV2 RetinaNet"])
def test_a_graph_of_one_size_takes_smaller_images_padded(kind: str, tmp_path: Path) -> None:
    model, _ = small_detector(kind)
    write_onnx(model, describe(model, CLASSES, (160, 128), (128, 192)), tmp_path / "fixed.onnx")
    exported = OnnxDetector(tmp_path / "fixed.onnx")
    assert exported.enter(made_images(160)[3]).pixels.shape == (1, 3, 128, 192)
    parity = compare(model, exported, made_images(160))
    assert parity.detections == 200 and parity.unmatched <= 1 and parity.pixels < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["baseline", "MobileNetV2 RetinaNet"])
def test_an_image_in_which_nothing_is_found(kind: str, tmp_path: Path) -> None:
    model, _ = small_detector(kind)
    model.test_cfg.get("rcnn", model.test_cfg).score_thr = 0.9999
    write_onnx(model, describe(model, CLASSES, (160, 128)), tmp_path / "blind.onnx")
    found = OnnxDetector(tmp_path / "blind.onnx")(made_images(160)[0])
    assert (found.bboxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_its_ap_is_that_of_the_workflow_s_evaluation(
    kind: str, exported: Export, images: list[Path], tmp_path: Path
) -> None:
    """On objects that PyTorch's detector half finds, from the files to COCO's numbers."""
    made = exported(kind)
    split = SplitPaths(tmp_path / "truth.json", images[0].parent)
    content: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 10 - n, "name": name} for n, name in enumerate(CLASSES)],
    }
    for number, path in enumerate(images):
        width, height = Image.open(path).size
        content["images"].append(
            {"id": number, "file_name": path.name, "width": width, "height": height}
        )
    split.annotations.write_text(json.dumps(content))
    found = detect(made.model, build_dataset(split, CLASSES, AROUND.detector, train=False))
    for number, detection in enumerate(found[::3], 1):
        left, top, width, height = detection["bbox"]
        box = [left + width * 0.04 * (number % 5), top, width, height]
        annotation = {key: detection[key] for key in ("image_id", "category_id")}
        annotation |= {"id": number, "bbox": box, "area": width * height, "iscrowd": 0}
        content["annotations"].append(annotation)
    split.annotations.write_text(json.dumps(content))
    theirs = coco_metrics(split.annotations, found)
    ours = exported_metrics(OnnxDetector(made.onnx), split)
    assert 0.05 < theirs["AP"] < 0.9
    assert ours["AP"] == pytest.approx(theirs["AP"], abs=1e-3)
    assert ours["AP50"] == pytest.approx(theirs["AP50"], abs=1e-3)


@pytest.mark.slow
def test_predict_prints_the_same_of_a_file_as_of_a_folder(
    exported: Export, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = exported("upgraded student")
    printed = []
    for number, detector in enumerate((made.folder, made.onnx)):
        out = tmp_path / str(number)
        arguments = [*map(str, images), "--score", "0.1", "--out", str(out)]
        predict.main([str(detector), *arguments])
        lines = [line for line in capsys.readouterr().out.splitlines() if line.count("\t") == 3]
        printed.append([line.split("\t") for line in lines])
        assert len(list(out.iterdir())) == len(images)
    theirs, ours = printed
    assert len(theirs) == len(ours) > 100
    for one, other in zip(theirs, ours, strict=True):
        assert one[:2] == other[:2]
        assert float(one[2]) == pytest.approx(float(other[2]), abs=0.0011)
        assert np.fromstring(one[3], sep=" ") == pytest.approx(
            np.fromstring(other[3], sep=" "), abs=0.11
        )


@pytest.mark.slow
def test_what_cannot_be_read_of_a_folder_is_passed_over_and_said(
    exported: Export, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hidden files and folders called like images are no images; a damaged one is told, and named it ends."""
    folder = tmp_path / "photos"
    (folder / "album.jpg").mkdir(parents=True)
    whole = images[0].read_bytes()
    for name, content in (("a.png", whole), ("b.png", whole[: len(whole) // 2]), ("._a.png", b"x")):
        (folder / name).write_bytes(content)
    detector, results = str(exported("upgraded student").onnx), tmp_path / "found.json"
    with pytest.raises(SystemExit) as end:
        predict.main([detector, str(folder), "--json", str(results)])
    assert end.value.code == 1
    told = capsys.readouterr().err
    assert told.count("passed over") == 1 and f"passed over: {folder / 'b.png'}" in told
    assert {each["file_name"] for each in json.loads(results.read_text())} == {
        str(folder / "a.png")
    }
    with pytest.raises(SystemExit, match=r"predict: .*b\.png"):
        predict.main([detector, str(folder), str(folder / "b.png")])


@pytest.mark.slow
def test_the_program_writes_checks_and_quantises(
    exported: Export, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = exported("baseline")
    target = tmp_path / "out.onnx"
    folder = str(images[0].parent)
    arguments = ["--images", folder, "--size", "128x160", "--int8", "--calibrate", folder]
    export.main([str(made.folder), "--onnx", str(target), *arguments])
    printed = capsys.readouterr().out
    assert "FasterRCNN, 3 classes, images of 128x160" in printed
    assert "given images: 5 images, 200 detections" in printed and "counterpart: 0" in printed
    content = onnx.load(target)
    assert {entry.version for entry in content.opset_import if not entry.domain} == {19}
    about = OnnxDetector(target).about
    assert about.classes == tuple(CLASSES) and about.image_scale == (160, 128)
    assert (about.size, about.precision) == ((128, 160), "float32")
    small = OnnxDetector(tmp_path / "out.int8.onnx")
    assert small.about.precision == "int8"
    # int8 is near: the best detection of most images is still there
    near = 0
    for image in loaded(images):
        one, other = OnnxDetector(target)(image), small(image)
        offset = np.abs(other.bboxes - one.bboxes[0]).max(axis=1)
        near += bool(offset[other.labels == one.labels[0]].min(initial=1e9) < 16)
    assert near >= 3
    operators = [node.op_type for node in onnx.load(tmp_path / "out.int8.onnx").graph.node]
    assert operators.count("QuantizeLinear") > 10


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.new("RGB", (8, 8)).save(image)
    with pytest.raises(SystemExit, match=r"predict: no such file: .*none\.onnx"):
        predict.main([str(tmp_path / "none.onnx"), str(image)])
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(
        SystemExit, match=r"predict: .*broken\.onnx cannot be loaded by onnxruntime"
    ):
        predict.main([str(broken), str(image)])
    foreign = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "foreign",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
    )
    opsets = [onnx.helper.make_opsetid("", 19)]
    model = onnx.helper.make_model(foreign, opset_imports=opsets, ir_version=9)
    onnx.save(model, broken)
    with pytest.raises(NoExportError, match="was not exported by DetSearch"):
        OnnxDetector(broken)
    onnx.helper.set_model_props(model, {"detsearch_format": "1", "classes": "[7]"})
    onnx.save(model, broken)
    with pytest.raises(NoExportError, match="has damaged metadata"):
        OnnxDetector(broken)


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    model, _ = small_detector("upgraded student")
    with pytest.raises(ExportError, match="multiples of 32"):
        describe(model, CLASSES, (160, 128), (100, 160))
    model.test_cfg.rcnn.nms.type = "soft_nms"
    with pytest.raises(ExportError, match="suppressed by nms of each class"):
        DetectorGraph(model)
    model, _ = small_detector("upgraded student")
    model.backbone.layer2[0].conv2.deform_groups = 2
    with pytest.raises(ExportError, match=r"backbone\.layer2\.0\.conv2 .* 2 groups of offsets"):
        DetectorGraph(model)
    for arguments, message in [
        (["--onnx", "a.pb"], "must end with .onnx"),
        (["--onnx", "a.onnx", "--int8"], "--int8 needs images"),
        (["--onnx", "a.onnx", "--data", str(tmp_path)], "is no dataset of a run"),
    ]:
        with pytest.raises(SystemExit, match=message):
            export.main([str(tmp_path), *arguments])


def test_another_network_fails_the_check() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 5, 20, 20], [0, 0, 10, 10]], np.float32)
    one = Found(boxes, np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 1, 2]))
    moved = Found(boxes + np.float32(0.02), one.scores, one.labels)
    near = Found(boxes + np.float32(0.005), one.scores + np.float32(5e-5), one.labels)
    assert matched(one, near) == [(0, 0), (1, 1), (2, 2)]
    assert matched(one, moved) == []
    assert matched(one, Found(boxes, one.scores, np.array([0, 2, 2]))) == [(0, 0), (2, 2)]
    assert matched(one, Found(boxes[:0], one.scores[:0], one.labels[:0])) == []
    Parity(3, 300, 2.0, 0.0, 0.0).check()
    with pytest.raises(ExportError, match=r"of 300 detections on 3 images 4 have no counterpart"):
        Parity(3, 300, 4.0, 0.0, 0.0).check()
