"""The versions of the user's annotation files, which the driver compares with those a dataset was made from.

A large file takes some seconds to read, so a note says which version it had at which size and time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.annotation_version import (
    AnnotationFormat,
    annotation_version,
    is_readable,
)
from pipeline.artifacts.digest import value_digest
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_json, write_json
from pipeline.artifacts.manifest import Manifest

ANNOTATIONS = "annotations"
"""The param of a rule that holds them."""
PREFIX = f"{ANNOTATIONS}."
"""Before the split in the names of a manifest's inputs."""


def current_versions(files: Mapping[str, str], kind: AnnotationFormat, note: Path) -> list[str]:
    """The split and version of every annotation file that is there and can be read.

    Args:
        files: Paths by split; of files, or of folders of them.
        kind: Their format.
        note: File in Snakemake's folder; made and kept up to date.
    """
    known: Any = {}
    with contextlib.suppress(ArtifactError):  # none yet, or cut off: the files are read again
        known = read_json(note)
    found: dict[str, list[Any]] = {}
    told = []
    for split, name in sorted(files.items()):
        path = Path(name).absolute()
        if not is_readable(path):
            continue
        state = [kind, _state(path)]
        former = known.get(str(path))
        version = former[1] if former and former[0] == state else annotation_version(path, kind)
        found[str(path)] = [state, version]
        told.append(f"{split} {version}")
    if any(known.get(path) != entry for path, entry in found.items()):
        with contextlib.suppress(ArtifactError):  # read only: the note saves time and nothing else
            write_json(note, found)
    return told


def _state(path: Path) -> list[Any]:
    """What changes with the content: of a folder, that of all files below it."""
    if path.is_file():
        return _stated(path)
    below = [
        [file.relative_to(path).as_posix(), *_stated(file)]
        for parent, _, names in os.walk(path, followlinks=True)
        for file in map(Path(parent).joinpath, names)
        if file.exists()
    ]
    return [value_digest(sorted(below))]


def _stated(file: Path) -> list[int]:
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def recorded_versions(manifest: Manifest) -> list[str]:
    """The same of the annotation files that a dataset was made from."""
    return sorted(
        f"{name.removeprefix(PREFIX)} {item.version}"
        for name, item in manifest.inputs.items()
        if name.startswith(PREFIX)
    )
