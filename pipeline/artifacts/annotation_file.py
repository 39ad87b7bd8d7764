"""Reading a user's annotation file, in whatever way a tool wrote it down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import shortened as shortened_text

LISTS = ("images", "annotations", "categories")
"""The parts of a COCO file that are used. All others, `info` and `licenses` say, are not looked at."""
USED = frozenset(
    (
        *LISTS,
        *("id", "file_name", "width", "height"),
        *("image_id", "category_id", "bbox", "area", "iscrowd", "ignore"),
        "name",
    )
)
"""The keys that anything reads."""


class AnnotationFileError(Exception):
    """A file is no COCO file; the message says why, without the file's name."""


def read_lists(path: Path) -> dict[str, list[Any]]:
    """The three lists of a COCO instances file: UTF-8, -16 or -32, with or without a byte-order mark.

    Their entries hold the keys that are used, and no others: masks alone may be most of a file.

    Raises:
        AnnotationFileError: The file is missing, cannot be read, is not text, not JSON, or not COCO.
    """
    try:
        if path.exists() and not path.is_file():
            raise AnnotationFileError("is no file")
        # finds UTF-8, UTF-16 and UTF-32 by the first bytes
        content = json.loads(path.read_bytes(), object_pairs_hook=_used)
    except FileNotFoundError:
        raise AnnotationFileError("there is no such file") from None
    except OSError as error:
        raise AnnotationFileError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise AnnotationFileError(
            f"is not text in UTF-8, -16 or -32: {error.reason} at byte {error.start}; save it as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        ended = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        cut = "; it ends early, as an incomplete copy does" if ended else ""
        raise AnnotationFileError(f"is not JSON: {error}{cut}") from None
    except (RecursionError, ValueError) as error:
        raise AnnotationFileError(f"cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise AnnotationFileError(
            f"is not in COCO format: a {type(content).__name__}, no object of three lists"
        )
    wrong = [key for key in LISTS if not isinstance(content.get(key), list)]
    if wrong:
        raise AnnotationFileError(
            f"is not in COCO format: it has no list {' and no list '.join(wrong)}"
        )
    return {key: content[key] for key in LISTS}


def _used(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key in USED}


def text_problem(value: Any) -> str | None:
    """Why a value of a COCO file cannot be used as a name; None where it can."""
    if not isinstance(value, str) or not value:
        return f"is {shortened(value)}, not a text"
    if "\0" in value:
        return f"is {shortened(value)}, which holds a zero character"
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"is {shortened(value)}, which holds half a character (a lone surrogate)"
    return None


def shortened(value: Any, most: int = 120) -> str:
    """A value as a message shows it: as Python writes it, a long one cut off."""
    try:
        text = repr(value)
    except RecursionError:
        return f"a {type(value).__name__} of too many levels"
    return shortened_text(text, most)
