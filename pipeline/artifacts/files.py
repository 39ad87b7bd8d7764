"""Files written whole or not at all, and the JSON that stages exchange."""

import json
import math
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.artifacts.errors import ArtifactError, PublishError


def sync(path: Path) -> None:
    """Make the content of a file, or the names in a folder, survive a power cut.

    Raises:
        OSError: it does not exist, or the disk refuses.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's errors into a `PublishError` that names the file being written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        other = error.filename is not None and Path(error.filename) != path
        place = f" ({error.filename})" if other else ""
        raise PublishError(f"cannot write {path}: {reason}{place}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; what is written there replaces `path` at the end.

    The file is synced, renamed, and its folder synced. If anything is raised, the temporary file
    is removed and `path` is as before. Missing folders are made.

    Raises:
        PublishError: the system refuses to write (disk full, no permission).
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically.

    Raises:
        PublishError: the system refuses to write; `path` is as before.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a text file in UTF-8 atomically.

    Raises:
        PublishError: the system refuses to write; `path` is as before.
    """
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any, *, indent: int | None = 1) -> None:
    """Write `json_bytes(value)` atomically.

    Raises:
        ArtifactError: the value is not JSON; see `canonical_json`.
        PublishError: the system refuses to write; `path` is as before.
    """
    try:
        content = json_bytes(value, indent=indent)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    write_bytes(path, content)


def json_bytes(value: Any, *, indent: int | None = 1) -> bytes:
    """The content of a JSON file: canonical text in UTF-8 and a newline. `indent=None` is compact.

    Raises:
        ArtifactError: the value is not JSON; see `canonical_json`.
    """
    return f"{canonical_json(value, indent=indent)}\n".encode()


def canonical_json(value: Any, *, indent: int | None = 1, sort_keys: bool = False) -> str:
    """The one text of a value: keys in their order (or sorted), floats as their shortest repr.

    Reading the text gives an equal value back (tuples as lists).

    Raises:
        ArtifactError: something is not None, bool, int, finite float, str, list, tuple or a dict
            with string keys, or a string has no UTF-8 form; the message says where.
    """
    fault = _fault(value)
    if fault is not None:
        raise ArtifactError(f"cannot be written as JSON: {fault.strip().lstrip('.')}")
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(
        value, ensure_ascii=False, indent=indent, sort_keys=sort_keys, separators=separators
    )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        excerpt = text[max(0, error.start - 30) : error.end + 10]
        raise ArtifactError(f"cannot be written as JSON: no UTF-8 for {excerpt!r}") from error
    return text


def _fault(value: Any) -> str | None:
    """Where and why a value is not JSON, such as `.losses[3] is nan`; None when it is."""
    if value is None or isinstance(value, str | int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f" is {value!r}, not a finite number"
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f" has the key {key!r}, not a string"
            if (fault := _fault(item)) is not None:
                return f".{key}{fault}"
        return None
    if isinstance(value, list | tuple):
        for position, item in enumerate(value):
            if (fault := _fault(item)) is not None:
                return f"[{position}]{fault}"
        return None
    return f" is of type {type(value).__module__}.{type(value).__qualname__}"


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ArtifactError: the file is missing, unreadable, empty, cut off, not UTF-8 or not JSON (NaN
            and infinities included); the message names the file and the place in it.
    """
    return parse_json(read_text(path), path)


def parse_json(text: str, path: Path) -> Any:
    """The value of the JSON text that `path` holds; raises as `read_json` does."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        end = len(text.rstrip())
        cut = error.pos >= end or error.msg.startswith("Unterminated string")
        reason = "empty" if end == 0 else "cut off" if cut else "not JSON"
        place = f"line {error.lineno}, column {error.colno}"
        raise ArtifactError(f"{path} is {reason} ({place}: {error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is not JSON ({error})") from error


def read_text(path: Path) -> str:
    """Read a UTF-8 file, its newlines as they are.

    Raises:
        ArtifactError: the file is missing, unreadable or not UTF-8; the message names it.
    """
    content = read_bytes(path)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path} is not UTF-8 text (byte {error.start})") from error


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        ArtifactError: the file is missing or unreadable; the message names it.
    """
    refuse_pipe(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(unreadable(path, error)) from error


def refuse_pipe(path: Path) -> None:
    """Refuse a pipe, a socket or a device, which may give nothing for ever, or no end.

    Raises:
        ArtifactError: it is one.
    """
    try:
        mode = path.stat().st_mode
    except OSError:  # whoever reads it says so
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ArtifactError(f"{path} cannot be read (it is a pipe, a socket or a device, no file)")


def is_there(path: Path) -> bool:
    """Whether there is a file or folder, or something that cannot be looked at: whoever reads it says so."""
    try:
        return path.exists()
    except OSError:
        return True


def unreadable(path: Path, error: OSError) -> str:
    """The sentence for a file that the system does not give out."""
    if isinstance(error, FileNotFoundError):
        return f"{path} is missing"
    return f"{path} cannot be read ({error.strerror or error})"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
