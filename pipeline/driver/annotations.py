"""The versions of the user's annotation files, which the driver compares with those a dataset was made from.

A large file takes some seconds to read, so a note says which version it had at which size and time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.annotation_file import annotation_version
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_json, write_json
from pipeline.artifacts.manifest import Manifest

ANNOTATIONS = "annotations"
"""The param of a rule that holds them."""
PREFIX = f"{ANNOTATIONS}."
"""Before the split in the names of a manifest's inputs."""


def current_versions(files: Mapping[str, str], note: Path) -> list[str]:
    """The split and version of every annotation file that is there and can be read.

    Args:
        files: Paths by split.
        note: File in Snakemake's folder; made and kept up to date.
    """
    known: Any = {}
    with contextlib.suppress(ArtifactError):  # none yet, or cut off: the files are read again
        known = read_json(note)
    found: dict[str, list[Any]] = {}
    told = []
    for split, name in sorted(files.items()):
        path = Path(name).absolute()
        if not (path.is_file() and os.access(path, os.R_OK)):
            continue
        stat = path.stat()
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        former = known.get(str(path))
        version = former[1] if former and former[0] == state else annotation_version(path)
        found[str(path)] = [state, version]
        told.append(f"{split} {version}")
    if any(known.get(path) != entry for path, entry in found.items()):
        with contextlib.suppress(ArtifactError):  # read only: the note saves time and nothing else
            write_json(note, found)
    return told


def recorded_versions(manifest: Manifest) -> list[str]:
    """The same of the annotation files that a dataset was made from."""
    return sorted(
        f"{name.removeprefix(PREFIX)} {item.version}"
        for name, item in manifest.inputs.items()
        if name.startswith(PREFIX)
    )
