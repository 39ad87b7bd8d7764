"""Reading images: the one function by which every part of the workflow sees pixels.

What it makes of a file, whoever asks (docs/reference/data.md shows it to users):

- JPEG, PNG, BMP, TIFF, WebP, GIF and PPM/PGM are read, told by their first bytes, whatever the name
  says. No other format is opened: some of Pillow's readers start programs (Ghostscript).
- The result is 8-bit RGB. 16-bit values are divided by 256, so images keep their relation. Grey is
  repeated, palettes are looked up, CMYK is converted, alpha is dropped.
- The EXIF orientation is applied, in every format that carries one. That of XMP alone is not: OpenCV,
  by which exported detectors load images, does not know it.
- A truncated file, several frames or pages, floating-point and 32-bit values are refused; and more
  pixels than who asks allows (the check of a dataset: `most_pixels`). What the check let through is
  read by all that comes after it.
"""

from __future__ import annotations

import io
import os
import stat
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.config.image_limits import LARGEST_IMAGE
from pipeline.errors import DetSearchError

VerifyImages = Literal["decode", "header"]

# Pillow's border would hold in this process whatever the config allows: `_check_header` has ours.
Image.MAX_IMAGE_PIXELS = None
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation."""
_TURNED = (5, 6, 7, 8)
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OTHER_JPEG = {
    **dict.fromkeys((0xC3, 0xCB), "lossless"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical"),
}
"""By the marker of its frame, what sort of JPEG no ordinary decoder reads."""
_SCALE = "scale them to 8 bits, and save it as PNG"
_FORMATS = {
    b"\xff\xd8\xff": "JPEG",
    _PNG_SIGNATURE: "PNG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    **{b"P%d" % kind: "PPM" for kind in range(1, 7)},
}
# a telephone's JPEG may hold further pictures behind the first (MPO)
_READERS = {"JPEG": ("JPEG", "MPO")}
_KNOWN_OTHERS = {
    b"%!PS": "EPS or PostScript",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"II+\0": "BigTIFF",
    b"MM\0+": "BigTIFF",
    b"\x93NUMPY": "a NumPy array",
    b"version https://git-lfs": "a Git LFS pointer: the image itself was not fetched",
    b"<": "XML, SVG or HTML",
}
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF"}
_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}


class ImageError(DetSearchError):
    """An image file cannot be used; the message says why, without the file's name."""


def load_image(path: Path, most_pixels: int = LARGEST_IMAGE) -> NDArray[np.uint8]:
    """Read an image file, as the module's head says.

    Args:
        path: The file.
        most_pixels: An image of more is refused before it is decoded.

    Returns:
        (height, width, 3), RGB, upright.

    Raises:
        FileNotFoundError: There is no such file.
        ImageError: The file is no image that is read, or is damaged.
    """
    content, kind = _content(path)
    with _opened(content, kind) as image:
        _check_header(image, kind, most_pixels)
        if kind in ("JPEG", "PNG"):
            return _by_opencv(content)
        try:
            orientation = _orientation(image, kind)
            image.load()
            turn = _UPRIGHT.get(orientation)
            return _eight_bits(image if turn is None else image.transpose(turn))
        # Broken files make Pillow raise OSError, SyntaxError, ValueError, struct.error and others.
        except Exception as error:
            raise ImageError(f"is damaged or truncated: {_told(error)}") from error


def load_pil_image(path: str | Path) -> Image.Image:
    """`load_image` as Pillow's image, for transforms and drawings.

    Raises:
        FileNotFoundError: There is no such file.
        ImageError: The file is no image that is read, or is damaged; with its name.
    """
    try:
        return Image.fromarray(load_image(Path(path)))
    except ImageError as error:
        raise ImageError(f"{path} {error}") from error


def read_size(
    path: Path, verify: VerifyImages, most_pixels: int = LARGEST_IMAGE
) -> tuple[int, int]:
    """Tell the (width, height) of an image as `load_image` shows it.

    Args:
        path: The file.
        verify: `decode` loads the image, `header` reads only the beginning of the file.
        most_pixels: An image of more is refused.

    Raises:
        FileNotFoundError: There is no such file.
        ImageError: The file cannot be used.
    """
    if verify == "decode":
        height, width, _ = load_image(path, most_pixels).shape
        return width, height
    kind = _kind(path)
    with _opened(path, kind) as image:
        _check_header(image, kind, most_pixels)
        turned = _orientation(image, kind) in _TURNED
        width, height = image.size
    return (height, width) if turned else (width, height)


def _size_or_reason(
    path: Path, verify: VerifyImages, most_pixels: int
) -> tuple[int, int] | str | None:
    try:
        return read_size(path, verify, most_pixels)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except ImageError as error:
        return str(error)


def read_sizes(
    paths: Iterable[Path], verify: VerifyImages, most_pixels: int = LARGEST_IMAGE
) -> list[tuple[int, int] | str | None]:
    """Read image files in a pool of threads (decoding does not hold the interpreter's lock).

    Returns:
        For each path its (width, height), or the reason why it cannot be used, or None where
        there is no such file.
    """
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda path: _size_or_reason(path, verify, most_pixels), paths))


def _kind(path: Path) -> str:
    """The format by the file's first bytes; nothing is opened that is no file."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        found = next((name for test, name in _KINDS.items() if test(mode)), "no file")
        raise ImageError(f"is {found}, no image file")
    with path.open("rb") as file:
        beginning = file.read(32)
    if not beginning:
        raise ImageError("is empty")
    for first, kind in _FORMATS.items():
        if beginning.startswith(first):
            return kind
    if beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP":
        return "WEBP"
    found = next(
        (name for first, name in _KNOWN_OTHERS.items() if beginning.startswith(first)),
        _BRANDS.get(beginning[8:12], "") if beginning[4:8] == b"ftyp" else "",
    )
    raise ImageError(
        f"is {found or 'no image, or of an unknown format'}; JPEG, PNG, BMP, TIFF, WebP, GIF and "
        "PPM are read: convert it to PNG"
    )


def _content(path: Path) -> tuple[bytes, str]:
    kind = _kind(path)
    return path.read_bytes(), kind


def _opened(source: bytes | Path, kind: str) -> Image.Image:
    # which Pillow loads by itself only where it must guess
    Image.init()
    try:
        if kind == "JPEG":
            with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
                _check_jpeg(file)
        return Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source,
            formats=_READERS.get(kind, (kind,)),
        )
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"is damaged or truncated, or a {kind} of a kind that is not read"
        ) from None
    except Exception as error:
        raise ImageError(f"is damaged or truncated: {_told(error)}") from error


def _orientation(image: Image.Image, kind: str) -> int:
    """The EXIF orientation, 1 to 8, of a file of which only the beginning was read."""
    content = image.info.get("exif")
    if kind == "TIFF":  # Pillow applies it: size and pixels are those to be shown
        return 1
    file = getattr(image, "fp", None)  # of an image that came out of a file
    if kind == "PNG" and content is None and file:
        content = _late_exif(file)
    exif = Image.Exif()
    try:
        exif.load(content or b"")
        found = exif.get(_EXIF_ORIENTATION)
    except Exception:  # no sound EXIF data say how to turn the image, to no reader
        return 1
    return found if isinstance(found, int) and found in range(1, 9) else 1


def _late_exif(file: IO[bytes]) -> bytes | None:
    """The EXIF data of a PNG behind its pixels, where there are some; the file's position stays."""
    position = file.tell()
    try:
        file.seek(len(_PNG_SIGNATURE))
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name == b"eXIf":
                return file.read(length)
            file.seek(length + 4, os.SEEK_CUR)
        return None
    finally:
        file.seek(position)


def _check_jpeg(content: IO[bytes]) -> None:
    """Refuse what no ordinary decoder reads, by the head of the first frame."""
    position = content.tell()
    try:
        content.seek(2)
        while len(head := content.read(4)) == 4 and head[0] == 0xFF:
            marker, length = head[1], int.from_bytes(head[2:], "big")
            if marker == 0xFF:  # a byte that only fills
                content.seek(-3, os.SEEK_CUR)
                continue
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                bits = int.from_bytes(content.read(1), "big")
                if sort := _OTHER_JPEG.get(marker):
                    raise ImageError(f"is a {sort} JPEG: save it as an ordinary one, or as PNG")
                if bits != 8:
                    raise ImageError(f"is a JPEG of {bits} bits a channel: {_SCALE}")
                return
            content.seek(length - 2, os.SEEK_CUR)
    finally:
        content.seek(position)


def _check_header(image: Image.Image, kind: str, most_pixels: int) -> None:
    if image.width * image.height > most_pixels:
        raise ImageError(
            f"has {image.width * image.height:,} pixels, and at most {most_pixels:,} are read: raise "
            "most_pixels if that is meant, cut the image into parts, or make it smaller"
        )
    # the further pictures of a JPEG are previews; a PNG has one that stands for its animation
    try:
        frames = 1 if kind in ("JPEG", "PNG") else getattr(image, "n_frames", 1)
    except Exception as error:
        raise ImageError(f"is damaged or truncated: {_told(error)}") from error
    if frames > 1:
        raise ImageError(f"holds {frames} frames or pages: save the one that is meant by itself")
    if not (image.mode in _EIGHT_BITS or _is_sixteen_bits(image, kind)):
        found = {"F": "floating-point", "I": "32-bit"}.get(image.mode, f"{image.mode}")
        raise ImageError(f"holds {found} values: {_SCALE}")


def _is_sixteen_bits(image: Image.Image, kind: str) -> bool:
    # Pillow reads a PGM of 16 bits into 32, scaled to all 16 of them
    return image.mode.startswith("I;16") or (image.mode == "I" and kind == "PPM")


def _by_opencv(content: bytes) -> NDArray[np.uint8]:
    """What mmcv makes of the file, to the bit: 8 bits of 16, alpha dropped, turned by EXIF."""
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"cannot be decoded by OpenCV: {error.err}") from error
    if pixels is None:
        raise ImageError("is damaged or truncated: OpenCV cannot decode it")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in _EIGHT_BITS:
        return np.array(image.convert("RGB"))
    grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
