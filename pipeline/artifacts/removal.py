"""Files that a run removes on purpose, once nothing needs them; their artifact and its manifest stay."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import explained, write_json
from pipeline.artifacts.kept import discard_kept
from pipeline.artifacts.manifest import MANIFEST, REMOVED, Manifest, removed_files


def remove_files(folder: Path, names: Iterable[str]) -> list[str]:
    """Remove published files, and note it beside the manifest, by which checks know it was meant.

    Doing it again changes nothing, and a crash in between leaves files that are there or noted.

    Args:
        folder: of an artifact.
        names: of its files.

    Returns:
        The names of all files that are removed, in their order.

    Raises:
        ArtifactError: the artifact has no such file, or no sound manifest.
        PublishError: the system refuses to remove.
    """
    published = Manifest.load(folder / MANIFEST).files
    wanted = {}
    for name in names:
        if name not in published:
            raise ArtifactError(f"{folder} has no file {name!r} that could be removed")
        wanted[name] = published[name]
    write_json(folder / REMOVED, {"files": removed_files(folder) | wanted})
    discard_kept(folder)  # a second name would keep their room on the disk taken
    for name in wanted:
        with explained(folder / name):
            (folder / name).unlink(missing_ok=True)
    return list(wanted)
