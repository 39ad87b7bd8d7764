"""One function reads images: the same pixels as ever for ordinary files, and a sentence for what is none."""

import ast
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image
from torchvision.datasets.folder import pil_loader

from pipeline.config.image_limits import MOST_PIXELS
from pipeline.data.images import (
    ImageError,
    load_image,
    load_pil_image,
    read_size,
    read_sizes,
)
from pipeline.detection.loading import LoadCheckedImage

ROOT = Path(__file__).parents[2]
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


@pytest.mark.parametrize("verify", ["header", "decode"])
def test_an_image_of_too_many_pixels_is_refused_by_its_head(tmp_path, verify):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 20000 20000 255\n")
    (told,) = read_sizes([path], verify, MOST_PIXELS)
    assert told is not None and "has 400,000,000 pixels, and at most 178,956,970 are read" in told
    path.write_bytes(b"P5 33000 33000 255\n")
    with pytest.raises(ImageError, match="at most 1,073,741,824 are read"):
        load_image(path)


def test_an_aerial_photograph_is_read_where_so_many_pixels_are_allowed(tmp_path):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 20000 20000 255\n")
    assert read_size(path, "header", 20000**2) == (20000, 20000)
    with pytest.raises(ImageError, match="pixels"):
        read_size(path, "header", 20000**2 - 1)
    photo = saved(tmp_path, Image.fromarray(PHOTO), "a.png")
    assert read_size(photo, "decode", 121 * 83) == (121, 83)
    with pytest.raises(ImageError, match="has 10,043 pixels, and at most 10,042 are read"):
        read_size(photo, "decode", 121 * 83 - 1)


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png(depth: int, kind: int, rows: Any, *, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG file of these rows of bytes, with further chunks before or after its pixels."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    width = 8 * len(rows[0]) // depth // channels
    head = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    parts = (chunk(b"IHDR", head), before, pixels, after, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


SIXTEEN = PHOTO.astype(">u2") * 257
ALPHA = np.full((83, 121, 1), 30000, ">u2")
SIDEWAYS = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
"""EXIF data of orientation 6: a quarter turn clockwise makes the image upright."""
XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    b"<rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'/></rdf:RDF>"
    b"</x:xmpmeta>"
)
LYING = np.rot90(PHOTO)
ROWS = [row.tobytes() for row in LYING]
PROFILE = (
    b"Raw profile type exif\0\nexif\n      34\n" + (b"Exif\0\0" + SIDEWAYS).hex().encode() + b"\n"
)
GREY = np.repeat(PHOTO[:, :, :1], 3, 2)
PIXELS_OF = {
    "16-bit colour": (png(16, 2, [row.tobytes() for row in SIXTEEN]), PHOTO),
    "16-bit colour and alpha": (
        png(16, 6, [row.tobytes() for row in np.dstack([SIXTEEN, ALPHA])]),
        PHOTO,
    ),
    "16-bit grey and alpha": (
        png(16, 4, [row.tobytes() for row in np.dstack([SIXTEEN[:, :, :1], ALPHA])]),
        GREY,
    ),
    "a transparent grey": (
        png(8, 0, [row.tobytes() for row in PHOTO[:, :, 0]], before=chunk(b"tRNS", b"\0\x40")),
        GREY,
    ),
    "a transparent colour": (
        png(8, 2, [row.tobytes() for row in PHOTO], before=chunk(b"tRNS", bytes(6))),
        PHOTO,
    ),
    "a gamma": (
        png(
            8, 2, [row.tobytes() for row in PHOTO], before=chunk(b"gAMA", struct.pack(">I", 10**5))
        ),
        PHOTO,
    ),
    "orientation before the pixels": (png(8, 2, ROWS, before=chunk(b"eXIf", SIDEWAYS)), PHOTO),
    "orientation after the pixels": (png(8, 2, ROWS, after=chunk(b"eXIf", SIDEWAYS)), PHOTO),
    "orientation in a text": (png(8, 2, ROWS, before=chunk(b"tEXt", PROFILE)), LYING),
    "orientation in XMP": (
        png(8, 2, ROWS, before=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
        LYING,
    ),
    "orientation 9": (
        png(8, 2, ROWS, before=chunk(b"eXIf", SIDEWAYS.replace(b"\x06", b"\x09"))),
        LYING,
    ),
    "no sound EXIF": (png(8, 2, ROWS, before=chunk(b"eXIf", b"no EXIF")), LYING),
}


@pytest.mark.parametrize("name", PIXELS_OF)
def test_depth_alpha_and_orientation_of_a_png_are_read_by_one_policy(tmp_path, name):
    content, expected = PIXELS_OF[name]
    path = tmp_path / "a.png"
    path.write_bytes(content)
    height, width, _ = expected.shape
    assert np.array_equal(load_image(path), expected)
    assert read_size(path, "header") == read_size(path, "decode") == (width, height)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_an_orientation_in_xmp_alone_turns_nothing(tmp_path, kind):
    path = saved(tmp_path, Image.fromarray(LYING.copy()), f"a.{kind.lower()}", xmp=XMP)
    assert read_size(path, "header") == read_size(path, "decode") == (83, 121)


def test_jpegs_that_no_ordinary_decoder_reads_are_named(tmp_path):
    path = tmp_path / "a.jpg"
    for place, value, told in (
        (4, 12, "is a JPEG of 12 bits a channel: scale them to 8 bits"),
        (1, 0xC3, "is a lossless JPEG: save it as an ordinary one"),
        (1, 0xC5, "is a hierarchical JPEG"),
    ):
        content = bytearray(_encoded(Image.fromarray(PHOTO), "JPEG"))
        content[content.index(b"\xff\xc0") + place] = value
        path.write_bytes(content)
        assert read_sizes([path] * 2, "header") == read_sizes([path] * 2, "decode")
        with pytest.raises(ImageError, match=told):
            load_image(path)


OPENERS = {"imread", "imdecode", "imfrombytes", "default_loader", "decode_image", "read_image"}


def test_the_users_images_are_opened_in_one_place() -> None:
    """What trains, draws, predicts or checks would see other pixels by a reader of its own."""
    found = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            opens = name.rpartition(".")[2] in OPENERS or name.endswith("Image.open")
            if name.endswith("ImageFolder"):
                opens = all(keyword.arg != "loader" for keyword in node.keywords)
            if opens:
                found.add(path.relative_to(ROOT / "pipeline").as_posix())
    # the second one reads photographs that a package brings along
    assert found == {"data/images.py", "data/embedded_sources.py"}
