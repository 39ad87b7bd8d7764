"""Images that stay in memory: the same pixels as read anew, whatever happened to them or to their files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.images import ImageError, load_image
from pipeline.data.kept_images import KeptImages, Pixels

SIDE = 8
BYTES = 3 * SIDE * SIDE


class _Counted:
    """Reads images, and notes which."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, path: Path) -> Pixels:
        self.read.append(path.name)
        return load_image(path)


def _write(path: Path, value: int) -> Path:
    cv2.imwrite(str(path), np.full((SIDE, SIDE, 3), value, np.uint8))
    return path


def test_an_image_is_read_once_and_who_changes_it_changes_it_for_nobody_else(
    tmp_path: Path,
) -> None:
    load = _Counted()
    kept = KeptImages(load)
    path = _write(tmp_path / "a.png", 50)
    for _ in range(3):
        pixels = kept.read(path)
        assert pixels.shape == (SIDE, SIDE, 3) and (pixels == 50).all()
        pixels[:] = 0
    assert load.read == ["a.png"]


def test_a_file_that_was_replaced_is_read_anew_and_one_that_is_gone_is_missed(
    tmp_path: Path,
) -> None:
    load = _Counted()
    kept = KeptImages(load)
    path = _write(tmp_path / "a.png", 50)
    kept.read(path)
    _write(tmp_path / "b.png", 90).replace(path)
    assert (kept.read(path) == 90).all() and load.read == ["a.png"] * 2
    assert kept.held == BYTES
    path.unlink()
    with pytest.raises(FileNotFoundError):
        kept.read(path)


def test_what_cannot_be_read_says_so_every_time(tmp_path: Path) -> None:
    kept = KeptImages(load_image)
    path = tmp_path / "a.png"
    path.write_bytes(b"%PDF-1.4")
    for _ in range(2):
        with pytest.raises(ImageError, match="is PDF"):
            kept.read(path)
    assert kept.held == 0


def test_a_full_memory_keeps_what_it_has_and_reads_the_others_each_time(tmp_path: Path) -> None:
    load = _Counted()
    kept = KeptImages(load, most_bytes=2 * BYTES)
    paths = [_write(tmp_path / f"{number}.png", 10 * number) for number in range(4)]
    for epoch in range(3):
        for number, path in enumerate(paths):
            assert (kept.read(path) == 10 * number).all()
        if epoch == 0:
            load.read.clear()
    assert load.read == ["2.png", "3.png"] * 2
    assert kept.held == 2 * BYTES
