"""Digests: what a file or a value is, in 71 characters."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import canonical_json, refuse_pipe, unreadable

PREFIX = "sha256:"
THREADS = 8  # more than the cores: with many small files the time goes into waiting for the disk


def bytes_digest(content: bytes | memoryview) -> str:
    """The digest of some bytes, as `sha256:` and 64 hexadecimal digits."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def value_digest(value: Any) -> str:
    """The digest of a JSON value; the order of keys does not matter, `1` and `1.0` differ.

    Raises:
        ArtifactError: the value is not JSON; see `canonical_json`.
    """
    return bytes_digest(canonical_json(value, indent=None, sort_keys=True).encode())


def file_digest(path: Path) -> str:
    """The digest of a file's bytes.

    Raises:
        ArtifactError: the file is missing or unreadable; the message names it.
    """
    refuse_pipe(path)
    try:
        with path.open("rb") as file:
            return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(unreadable(path, error)) from error


def file_digests(paths: Iterable[Path]) -> list[str | ArtifactError]:
    """The digests of many files, in their order; an error in the place of a file without one."""

    def digest(path: Path) -> str | ArtifactError:
        try:
            return file_digest(path)
        except ArtifactError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(digest, paths))
