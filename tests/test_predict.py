"""Where `python -m pipeline.predict` writes its drawings, and what it refuses before a detector is loaded."""

from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import DetSearchError
from pipeline.predict import drawing_paths, main


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
