"""Where `python -m pipeline.predict` writes its drawings, and what it refuses before a detector is loaded."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts.files import read_json
from pipeline.deploy.session import Found
from pipeline.errors import DetSearchError
from pipeline.predict import drawing_paths, main, named_images


def test_drawings_of_equal_names_are_all_kept(tmp_path: Path) -> None:
    images = [Path("a/1.png"), Path("b/1.png"), Path("b/1-2.png"), Path("c/1.png"), Path("c/x.gif")]
    targets = [path.name for path in drawing_paths(images, tmp_path / "out")]
    assert targets == ["1.png", "1-2.png", "1-2-2.png", "1-3.png", "x.gif.png"]


def test_an_existing_folder_takes_one_drawing_too(tmp_path: Path) -> None:
    assert drawing_paths([Path("a/photo.JPG")], tmp_path) == [tmp_path / "photo.JPG"]
    assert drawing_paths([Path("photo.png")], tmp_path / "d.webp") == [tmp_path / "d.webp"]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    with pytest.raises(DetSearchError, match="no folder, and has no ending of an image"):
        drawing_paths([Path("a.png")], tmp_path / "drawn")
    with pytest.raises(DetSearchError, match="drawings of several images need a folder"):
        drawing_paths([Path("a.png"), Path("b.png")], tmp_path / "there.png")
    with pytest.raises(DetSearchError, match="would write over the image"):
        drawing_paths([tmp_path / "there.png"], tmp_path)


def test_an_image_that_is_none_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (k, 0, 0)) for k in (0, 250)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(SystemExit, match=r"predict: .*a\.gif holds 2 frames"):
        main([str(tmp_path), str(tmp_path / "a.gif")])


def test_folders_and_patterns_stand_for_their_images_each_once(tmp_path: Path) -> None:
    for name in ("a/2.png", "a/b/1.jpg", "a/notes.txt", "c[1].png", "d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    given = [str(tmp_path / name) for name in ("c[1].png", "a", "a/*", "**/*.jpg", "d.txt")]
    found = [path.relative_to(tmp_path).as_posix() for path in named_images(given)]
    assert found == ["c[1].png", "a/2.png", "a/b/1.jpg", "a/notes.txt", "d.txt"]
    with pytest.raises(DetSearchError, match=r"no such image: nowhere, \*\.xyz"):
        named_images(["nowhere", str(tmp_path / "a"), "*.xyz"])


def test_results_have_the_ids_and_corners_that_coco_s_tools_take() -> None:
    boxes = np.array([[1, 2, 4, 8], [0, 0, 1, 1]], np.float32)
    found = Found(boxes, np.array([0.5, 0.25], np.float32), np.array([1, 0]))
    assert found.coco_results(7, range(1, 3)) == [
        {"image_id": 7, "category_id": 2, "bbox": [1.0, 2.0, 3.0, 6.0], "score": 0.5},
        {"image_id": 7, "category_id": 1, "bbox": [0.0, 0.0, 1.0, 1.0], "score": 0.25},
    ]


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0.07, 0.12], "no detection with a score of 0.3 or more; the highest score is 0.120"),
        ([], "no detection with a score of 0.3 or more; nothing at any score"),
        ([0.07, 0.9], ""),
    ],
)
def test_no_detection_is_said_with_the_highest_score(
    scores: list[float],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    found = Found(
        np.zeros((len(scores), 4), np.float32),
        np.array(scores, np.float32),
        np.zeros(len(scores), np.int64),
    )
    monkeypatch.setattr("pipeline.predict._opened", lambda *_: (lambda image: found, ["cell"]))
    results = tmp_path / "found.json"
    given = [str(tmp_path / "detector"), str(tmp_path / "a.png"), "--json", str(results)]
    main(given)
    printed = capsys.readouterr()
    assert printed.err == (f"predict: {said}\n" if said else "")
    assert len(printed.out.splitlines()) == sum(score >= 0.3 for score in scores)
    # what evaluates them wants every score
    assert [one["score"] for one in read_json(results)] == pytest.approx(scores)
    main([*given, "--score", "0.1"])
    assert len(read_json(results)) == sum(score >= 0.1 for score in scores)
