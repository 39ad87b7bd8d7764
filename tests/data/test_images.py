"""One function reads images: the same pixels as ever for ordinary files, and a sentence for what is none."""

import io
import os
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image
from torchvision.datasets.folder import pil_loader

from pipeline.data.images import (
    ImageError,
    load_image,
    load_pil_image,
    read_size,
    read_sizes,
)
from pipeline.detection.loading import LoadCheckedImage

RNG = np.random.default_rng(0)
PHOTO = cv2.resize(
    RNG.integers(0, 255, (16, 24, 3), np.uint8), (121, 83), interpolation=cv2.INTER_CUBIC
)
GREY16 = RNG.integers(0, 65536, (30, 40)).astype(np.uint16)


def saved(folder: Path, image: Image.Image, name: str, **settings) -> Path:
    """Save an image under a name."""
    path = folder / name
    image.save(path, **settings)
    return path


ORDINARY = {
    "jpg": {},
    "444.jpg": {"quality": 95, "subsampling": 0},
    "422.jpg": {"quality": 60, "subsampling": 1},
    "420.jpg": {"quality": 30, "subsampling": 2},
    "progressive.jpg": {"progressive": True},
    "png": {},
    "interlaced.png": {"compress_level": 9},
}


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_files_have_the_pixels_that_they_always_had(tmp_path, name, mode):
    path = saved(tmp_path, Image.fromarray(PHOTO).convert(mode), f"a.{name}", **ORDINARY[name])
    found = load_image(path)
    assert found.dtype == np.uint8 and found.shape == (83, 121, 3)
    assert np.array_equal(found, mmcv.imread(str(path), channel_order="rgb"))
    assert np.array_equal(found, np.asarray(pil_loader(str(path))))
    theirs: Any = LoadImageFromFile()({"img_path": str(path)})
    ours: Any = LoadCheckedImage()({"img_path": str(path)})
    assert ours.keys() == theirs.keys()
    assert np.array_equal(ours["img"], theirs["img"])
    assert (ours["img_shape"], ours["ori_shape"]) == (theirs["img_shape"], theirs["ori_shape"])
    assert ours["img"].flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["png", "tif", "webp", "bmp", "gif"])
def test_every_mode_of_every_format_shows_its_colours(tmp_path, kind, mode):
    try:
        path = saved(tmp_path, Image.fromarray(PHOTO).convert(mode), f"a.{kind}", lossless=True)
    except OSError:
        pytest.skip(f"Pillow writes no {kind} of mode {mode}")
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(load_image(path), expected)
    assert read_size(path, "header") == read_size(path, "decode") == (121, 83)


@pytest.mark.parametrize("kind", ["png", "tif", "pgm"])
def test_sixteen_bits_become_eight_by_one_division(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    cv2.imwrite(str(path), GREY16)
    assert np.array_equal(load_image(path), np.repeat((GREY16 >> 8)[:, :, None], 3, 2))
    assert np.asarray(load_pil_image(path)).mean() < 250


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_sixteen_bits_in_colour(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    cv2.imwrite(str(path), np.dstack([GREY16, GREY16 // 2, GREY16 // 4]))
    expected = np.dstack([GREY16 // 4, GREY16 // 2, GREY16]) >> 8
    assert np.array_equal(load_image(path), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_every_orientation_is_applied_in_every_format(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = 200
    upright[20:, :30] = 90
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    given = exif if kind == "tif" else exif.tobytes()
    settings = {"lossless": True} if kind == "webp" else {}
    path = saved(tmp_path, Image.fromarray(stored.copy()), f"a.{kind}", exif=given, **settings)
    found = load_image(path).astype(int)
    assert found.shape == upright.shape
    assert np.abs(found - upright).mean() < 2
    assert read_size(path, "header") == read_size(path, "decode") == (60, 40)


def _frames(kind: str) -> bytes:
    content = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (k * 90, 0, 0)) for k in range(3)]
    frames[0].save(content, kind, save_all=True, append_images=frames[1:])
    return content.getvalue()


def _encoded(image: Image.Image, kind: str) -> bytes:
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


FLOATS = Image.fromarray(PHOTO[:, :, 0].astype(np.float32))
INTEGERS = Image.fromarray(PHOTO[:, :, 0].astype(np.int32))
REFUSED = {
    "empty": (b"", "is empty"),
    "text": (b"hello", "no image, or of an unknown format"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is EPS or PostScript"),
    "AVIF": (b"\0\0\0 ftypavif\0\0\0\0avifmif1", "is AVIF"),
    "HEIC": (b"\0\0\0 ftypheic\0\0\0\0heicmif1", "is HEIC"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS pointer"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "XML, SVG or HTML"),
    "animated GIF": (_frames("GIF"), "holds 3 frames or pages"),
    "animated WebP": (_frames("WEBP"), "holds 3 frames or pages"),
    "pages": (_frames("TIFF"), "holds 3 frames or pages"),
    "floats": (_encoded(FLOATS, "TIFF"), "holds floating-point values"),
    "32 bits": (_encoded(INTEGERS, "TIFF"), "holds 32-bit values"),
    "PNG signature alone": (b"\x89PNG\r\n\x1a\n", "is damaged or truncated"),
    "JPEG signature alone": (b"\xff\xd8\xff\xe0", "is damaged or truncated"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_usable_image_is_told_in_a_sentence(tmp_path, name):
    content, message = REFUSED[name]
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=message):
        load_image(path)
    with pytest.raises(ImageError, match=r"a\.png .*" + message):
        load_pil_image(path)
    with pytest.raises(ImageError, match=r"a\.png .*" + message):
        LoadCheckedImage()({"img_path": str(path)})
    (reason,) = read_sizes([path], "decode")
    assert isinstance(reason, str) and message in reason


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp", "bmp", "gif", "ppm"])
def test_a_truncated_file_is_refused_by_the_function_itself(tmp_path, kind, share):
    path = saved(tmp_path, Image.fromarray(PHOTO), f"a.{kind}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match="is damaged or truncated"):
        load_image(path)


def test_no_pipe_and_no_device_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    names = ("pipe", "device", "folder", "dangling", "none")
    found = read_sizes([tmp_path / f"{name}.png" for name in names], "decode")
    assert found == [
        "is a named pipe, no image file",
        "is a device, no image file",
        "is a folder, no image file",
        None,
        None,
    ]


def test_an_image_of_too_many_pixels_is_refused_by_its_head(tmp_path):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 20000 20000 255\n")
    with pytest.raises(ImageError, match="pixels"):
        load_image(path)
