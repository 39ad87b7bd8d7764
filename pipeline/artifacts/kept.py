"""A second name for what was published, until Snakemake has noted that the stage is done.

Where the driver dies, the next one takes the outputs of a job whose end nobody saw for cut off, and deletes
them. A hard link to each stays in the artifact's `.kept/`, which Snakemake does not know of, so that the
stage takes back what it had finished in place of computing it again.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts.digest import file_digests
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import explained, sync
from pipeline.artifacts.manifest import KEPT, MANIFEST, STAGING, Manifest

FILES = "files"
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""How a file system says that it has no hard links, or no further one for this file."""

logger = logging.getLogger(__name__)


def keep(folder: Path, sources: Mapping[str, Path], manifest: Path) -> None:
    """Link the files of an artifact and its manifest into `.kept/`, in place of what lay there.

    Args:
        folder: the artifact's folder.
        sources: where its files lie now, on the same file system, by name.
        manifest: where its manifest lies now.

    Raises:
        PublishError: the system refuses to link.
    """
    gathering = folder / STAGING / KEPT
    with explained(folder / KEPT):
        for name, source in sources.items():
            link = gathering / FILES / name
            link.parent.mkdir(parents=True, exist_ok=True)
            second_name(source, link)
        gathering.mkdir(exist_ok=True)
        second_name(manifest, gathering / MANIFEST)
        discard_kept(folder)
        gathering.rename(folder / KEPT)
        sync(folder)


def second_name(source: Path, link: Path) -> None:
    """A second name for a file; where the file system knows none (exFAT, some network drives), a copy.

    Raises:
        OSError: the system refuses.
    """
    try:
        os.link(source, link)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(source, link)


def kept_files(folder: Path, version: str) -> tuple[Manifest, dict[str, Path]] | None:
    """What `.kept/` holds whole of a version of the artifact in `folder`: manifest, files by name.

    None if there is nothing of this version. A file that is missing or altered there is taken from the
    artifact's folder, where Snakemake leaves what its rule does not declare. If it is wrong there, too,
    nothing can be taken back: `.kept/` is removed, and a warning says why.
    """
    path = folder / KEPT / MANIFEST
    if not path.exists():
        return None
    try:
        manifest = Manifest.load(path)
    except ArtifactError as error:
        _useless(folder, str(error))
        return None
    if manifest.version != version:
        return None
    found: dict[str, Path] = {}
    for base in (folder / KEPT / FILES, folder):
        missing = [name for name in manifest.files if name not in found]
        digests = file_digests(base / name for name in missing)
        for name, digest in zip(missing, digests, strict=True):
            if digest == manifest.files[name]:
                found[name] = base / name
    if wrong := sorted(manifest.files.keys() - found.keys()):
        _useless(folder, f"{wrong[0]} is not as it was published")
        return None
    return manifest, found


def discard_kept(folder: Path) -> None:
    """Remove `.kept/` of the artifact in `folder`; without one nothing happens.

    Raises:
        PublishError: the system refuses to remove it.
    """
    with explained(folder / KEPT):
        if (folder / KEPT).exists():
            shutil.rmtree(folder / KEPT)


def _useless(folder: Path, why: str) -> None:
    logger.warning("%s cannot be taken back (%s): it is made again", folder, why)
    discard_kept(folder)
