"""Detections on a photograph: frames in the colours of their classes, labels that stay in the picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from pipeline.deploy.picture import COLOURS, ENLARGED, draw
from pipeline.deploy.session import Found
from pipeline.errors import DetSearchError

GREY = (90, 90, 90)


def found(*rows: tuple[int, float, tuple[float, float, float, float]]) -> Found:
    labels, scores, boxes = zip(*rows, strict=True)
    return Found(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(labels))


def drawn(path: Path, size: tuple[int, int], what: Found, classes: list[str]) -> np.ndarray:
    draw(Image.new("RGB", size, GREY), what, classes, path)
    return np.asarray(Image.open(path).convert("RGB"))


def coloured(pixels: np.ndarray, label: int) -> np.ndarray:
    """Where a picture has exactly the colour of a class."""
    return (pixels == np.array(ImageColor.getrgb(COLOURS[label % len(COLOURS)]))).all(-1)


def test_a_frame_lies_on_its_box_in_the_colour_of_its_class(tmp_path: Path) -> None:
    what = found((0, 0.9, (100, 200, 300, 400)), (9, 0.4, (400, 100, 500, 150)))
    pixels = drawn(tmp_path / "p.png", (640, 480), what, [f"c{k}" for k in range(10)])
    for label, (left, top, right, bottom) in ((0, (100, 200, 300, 400)), (9, (400, 100, 500, 150))):
        here = coloured(pixels, label)
        for x, y in (
            (left, (top + bottom) // 2),
            (right, bottom - 5),
            ((left + right) // 2, bottom),
        ):
            assert here[y, x]
        assert not here[(top + bottom) // 2, (left + right) // 2], "the object itself stays visible"
        assert here[top - 4, left + 1], "the label stands above"


@pytest.mark.parametrize(
    "box", [(0, 0, 50, 40), (590, 3, 640, 60), (-8, -9, 700, 500), (10, 20, 10, 20)]
)
def test_labels_stay_in_the_picture_wherever_the_box_is(
    tmp_path: Path, box: tuple[float, float, float, float]
) -> None:
    pixels = drawn(tmp_path / "p.png", (640, 480), found((0, 0.5, box)), ["a long name of a class"])
    rows, columns = np.nonzero(coloured(pixels, 0))
    filled = np.bincount(rows, minlength=480).max()
    assert filled > 100, "the label's ground is there in its whole width"
    assert columns.max() - columns.min() >= filled - 1


def test_a_small_image_is_enlarged_and_its_boxes_with_it(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "p.png", (48, 32), found((1, 0.5, (8, 16, 24, 28))), ["a", "b"])
    assert pixels.shape == (32 * ENLARGED, 48 * ENLARGED, 3)
    assert coloured(pixels, 1)[28 * ENLARGED, 16 * ENLARGED]


def test_the_best_label_is_the_one_on_top(tmp_path: Path) -> None:
    box = (100, 200, 300, 400)
    pixels = drawn(tmp_path / "p.png", (640, 480), found((0, 0.9, box), (1, 0.3, box)), ["a", "b"])
    assert coloured(pixels, 0)[196, 101] and not coloured(pixels, 1)[196, 101]


def test_names_of_any_script_and_with_line_breaks_are_drawn(tmp_path: Path) -> None:
    what = found((0, 0.9, (9, 90, 300, 400)), (1, 0.8, (50, 60, 90, 200)), (2, 0.1, (9, 9, 20, 20)))
    assert drawn(tmp_path / "p.png", (640, 480), what, ["Zellе\n\tрот", "细胞", ""]).shape[0] == 480


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DetSearchError, match="cannot be written"):
        draw(Image.new("RGB", (9, 9)), found((0, 1, (1, 1, 5, 5))), ["a"], tmp_path / "file/p.png")
