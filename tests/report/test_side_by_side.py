"""Detections of several detectors on the same images."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from pipeline.data.index import SplitPaths
from pipeline.report.side_by_side import COLOURS, TRUTH, evaluated_side_by_side

SVG = "{http://www.w3.org/2000/svg}"


def _detection(image: int, kind: int, score: float, *box: float) -> dict[str, Any]:
    return {"image_id": image, "category_id": kind, "score": score, "bbox": list(box)}


@pytest.fixture
def split(tmp_path: Path) -> SplitPaths:
    """Five images of 40 × 20 pixels with a cat each, and a crowd of dogs on the third."""
    (tmp_path / "images").mkdir()
    truth: dict[str, Any] = {
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": 40, "height": 20} for n in range(1, 6)
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "<dog>"}],
        "annotations": [
            {"image_id": n, "category_id": 7, "bbox": [n, 2, 8, 6]} for n in range(1, 6)
        ]
        + [{"image_id": 3, "category_id": 3, "bbox": [0, 0, 40, 20], "iscrowd": 1}],
    }
    for number in range(1, 6):
        Image.new("RGB", (40, 20), (40 * number, 0, 0)).save(tmp_path / f"images/{number}.png")
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return SplitPaths(tmp_path / "truth.json", tmp_path / "images")


def _evaluations(folder: Path) -> dict[str, Path]:
    found = {
        "plain": [_detection(n, 7, 0.6, 1, 1, 9, 9) for n in range(1, 6)],
        # in any order, and one below the threshold
        "searched": [
            detection
            for n in (4, 2, 5, 1, 3)
            for detection in (
                _detection(n, 3, 0.5, 20, 5, 10, 10),
                _detection(n, 7, 0.49, 0, 0, 4, 4),
                _detection(n, 7, 0.9, n, 2, 8, 6),
            )
        ],
    }
    for name, detections in found.items():
        (folder / name).mkdir()
        (folder / name / "detections.json").write_text(json.dumps(detections))
    return {name: folder / name for name in found}


def test_the_truth_comes_first_and_all_show_the_same_images(
    split: SplitPaths, tmp_path: Path
) -> None:
    table, figure = evaluated_side_by_side(
        "hit_figure6", split, _evaluations(tmp_path), images=3, threshold=0.5, seed=0
    )
    images = sorted({str(row[0]) for row in table.rows})
    assert len(images) == 3
    by_image = {name: [row[1:] for row in table.rows if row[0] == name] for name in images}
    for name, rows in by_image.items():
        number = int(name.removesuffix(".png"))
        assert rows == [
            [TRUTH, "cat", None, number, 2, 8, 6],
            ["plain", "cat", 0.6, 1, 1, 9, 9],
            ["searched", "cat", 0.9, number, 2, 8, 6],
            ["searched", "<dog>", 0.5, 20, 5, 10, 10],
        ]
    root = ElementTree.fromstring(figure.svg)
    headings = [item.text for item in root.findall(f"{SVG}text")]
    assert headings == [TRUTH, "plain", "searched"]
    groups = root.findall(f"{SVG}g")
    assert len(groups) == 3 * 3
    # a row is one picture, and another row is another
    pictures = [group.findall(f"{SVG}image")[0].get("href") for group in groups]
    assert [len(set(pictures[row : row + 3])) for row in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pictures)) == 3
    labels = [item.text for item in groups[2].iter(f"{SVG}text")]
    assert labels == ["cat 0.90", "<dog> 0.50"]
    strokes = [rect.get("stroke") for rect in groups[2].findall(f"{SVG}rect")]
    assert [stroke for stroke in strokes if stroke in COLOURS] == list(COLOURS[:2])
    # pixels of the image, at six times their size
    frames = [rect for rect in groups[1].findall(f"{SVG}rect") if rect.get("stroke") == COLOURS[0]]
    assert [float(frames[0].get(key, 0)) for key in ("x", "y", "width", "height")] == [6, 6, 54, 54]


@pytest.mark.parametrize("classes", [1, 2])
def test_labels_leave_a_crowded_image_to_be_seen(tmp_path: Path, classes: int) -> None:
    """Forty frames, and labels of the best on a fifth of the picture; of one class only scores."""
    boxes = [(12 * (n % 8), 12 * (n // 8), 10, 10) for n in range(40)]
    truth = {
        "images": [{"id": 1, "file_name": "1.png", "width": 100, "height": 100}],
        "categories": [{"id": n, "name": f"class {n}"} for n in range(classes)],
        "annotations": [{"image_id": 1, "category_id": 0, "bbox": list(box)} for box in boxes],
    }
    Image.new("RGB", (100, 100)).save(tmp_path / "1.png")
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    found = [_detection(1, 0, 0.5 + n / 100, *box) for n, box in enumerate(boxes)]
    (tmp_path / "detections.json").write_text(json.dumps(found))
    _, figure = evaluated_side_by_side(
        "crowd",
        SplitPaths(tmp_path / "truth.json", tmp_path),
        {"searched": tmp_path},
        images=1,
        threshold=0.5,
        seed=0,
    )
    objects, searched = ElementTree.fromstring(figure.svg).findall(f"{SVG}g")
    # a frame is two lines, one beneath the other
    assert len([rect for rect in searched.iter(f"{SVG}rect") if rect.get("fill") == "none"]) == 80
    labels = [rect for rect in searched.iter(f"{SVG}rect") if rect.get("fill") != "none"]
    assert 3 <= len(labels) < 40
    covered = sum(float(rect.get("width", 0)) * float(rect.get("height", 0)) for rect in labels)
    assert covered <= 0.2 * 240 * 240
    texts = [item.text or "" for item in searched.iter(f"{SVG}text")]
    scores = [float(each.split()[-1]) for each in texts]
    assert scores == sorted(scores, reverse=True) and scores[0] == 0.89
    named = [each for each in texts if "class" in each]
    assert len(named) == (0 if classes == 1 else len(texts))
    assert bool(list(objects.iter(f"{SVG}text"))) == (classes == 2)


def test_the_draw_of_images_is_the_seed_s(split: SplitPaths, tmp_path: Path) -> None:
    evaluations = _evaluations(tmp_path)

    def drawn(seed: int, images: int = 2) -> set[str]:
        table, _ = evaluated_side_by_side(
            "hit_figure6", split, evaluations, images=images, threshold=0.5, seed=seed
        )
        return {str(row[0]) for row in table.rows}

    assert drawn(0) == drawn(0)
    assert len({frozenset(drawn(seed)) for seed in range(8)}) > 1
    assert len(drawn(0, images=9)) == 5
