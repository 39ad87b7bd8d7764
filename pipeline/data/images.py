"""Reading many image files, to find those that cannot be read."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from PIL import Image

VerifyImages = Literal["decode", "header"]

_EXIF_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


def read_size(path: Path, verify: VerifyImages) -> tuple[int, int]:
    """Read an image file and tell its (width, height) as a loader that heeds EXIF shows it.

    Args:
        path: The file.
        verify: `decode` reads all of the file, `header` only its beginning.

    Raises:
        Exception: Whatever Pillow raises about a file that is missing, truncated or no image.
    """
    with Image.open(path) as image:
        width, height = image.size
        if verify == "decode":
            # For a JPEG: read every byte, but compute an eighth of the pixels a side.
            image.draft(None, (max(1, width // 8), max(1, height // 8)))
            image.load()
        # The base class's method: a PNG's own would decode it to look for EXIF data at its end.
        turned = Image.Image.getexif(image).get(_EXIF_ORIENTATION) in _TURNED
    return (height, width) if turned else (width, height)


def _size_or_reason(path: Path, verify: VerifyImages) -> tuple[int, int] | str | None:
    try:
        return read_size(path, verify)
    except FileNotFoundError:
        return None
    # Broken files make Pillow raise OSError, SyntaxError, ValueError, struct.error and others.
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def read_sizes(paths: Iterable[Path], verify: VerifyImages) -> list[tuple[int, int] | str | None]:
    """Read image files in a pool of threads (decoding does not hold the interpreter's lock).

    Returns:
        For each path its (width, height), or the reason why it cannot be read, or None where
        there is no such file.
    """
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda path: _size_or_reason(path, verify), paths))
