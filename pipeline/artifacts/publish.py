"""The one publisher: a stage's files appear in their folder together, with a manifest, or not.

The manifest is what makes a folder complete. It is removed before the first file changes and
renamed into place after the last, so that a crash at any moment leaves the former state or a folder
without a manifest. Files that another stage keeps in the same folder are not touched.
"""

import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from pipeline.artifacts.digest import THREADS, file_digest
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import (
    explained,
    read_json,
    sync,
    unreadable,
    write_bytes,
    write_json,
)
from pipeline.artifacts.history import extended_history
from pipeline.artifacts.kept import keep, kept_files, second_name
from pipeline.artifacts.manifest import (
    HISTORY,
    INVENTORY,
    MANIFEST,
    REMOVED,
    STAGING,
    WORK,
    Manifest,
    Origin,
    check_name,
    removed_files,
)

Content = bytes | Path | Callable[[Path], None]
"""Bytes, an existing file or folder, or a function that writes a file at the path it is given."""

logger = logging.getLogger(__name__)


def publish(
    folder: Path,
    files: Mapping[str, Content],
    origin: Origin,
    *,
    device: str = "cpu",
    wall_seconds: float = 0.0,
    gpu_hours: float = 0.0,
    peak_memory: int | None = None,
    not_before: float = 0.0,
    settings: str | None = None,
) -> Manifest:
    """Publish files into `folder`, write its manifest and add a line to its history.

    Args:
        folder: the artifact's folder; made if missing.
        files: content by path relative to `folder`. A `Path` inside `folder/work` is moved, any
            other is copied; that of a folder stands for all files in it (under the key `.`: at the
            top of `folder`).
        origin: what determines the artifact.
        device: where it was computed, such as `cpu` or `8 x NVIDIA A100`.
        wall_seconds: the stage's time, over all its jobs.
        gpu_hours: devices times hours.
        peak_memory: bytes of the stage's largest process, where it was measured.
        not_before: seconds since 1970 of the newest input: no published file is older than it.
        settings: of the stage, as its command line gave them; they stand in `.published.json`.

    Returns:
        The manifest that was written.

    Raises:
        ArtifactError: a name or a source is not usable; nothing was changed.
        PublishError: the system refuses to write, say because the disk is full; the former state is
            unchanged, or (from the moment files are renamed) `folder` has no manifest.
    """
    staging = folder / STAGING
    with explained(staging):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    try:
        sources = _stage(folder, files)
        former = _former(folder)
        _check_room(folder, sources.keys(), former)
        digests = dict(zip(sources, _seal(sources.values()), strict=True))
        manifest = Manifest.of(
            origin,
            digests,
            device=device,
            wall_seconds=wall_seconds,
            gpu_hours=gpu_hours,
            peak_memory=peak_memory,
        )
        write_bytes(staging / MANIFEST, manifest.content())
        write_bytes(staging / HISTORY, extended_history(folder, manifest, sources))
        keep(folder, sources, staging / MANIFEST)
        _replace(folder, sources, former, not_before, settings, manifest.version)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def take_back(
    folder: Path, origin: Origin, *, not_before: float = 0.0, settings: str | None = None
) -> Manifest | None:
    """Put in place again what was published of the same origin and deleted since, from `.kept/`.

    Every file is compared with its digest before.

    Args:
        folder: the artifact's folder.
        origin: of what is wanted.
        not_before: as of `publish`.
        settings: as of `publish`.

    Returns:
        The manifest, with the bytes that it had; None if nothing can be taken back.

    Raises:
        PublishError: the system refuses to write.
    """
    if (kept := kept_files(folder, origin.version)) is None:
        return None
    manifest, found = kept
    staging = folder / STAGING
    with explained(staging):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    try:
        sources = {name: staging / "files" / name for name in found}
        with explained(folder):
            for name, source in sources.items():
                source.parent.mkdir(parents=True, exist_ok=True)
                second_name(found[name], source)
        former = _former(folder)
        _check_room(folder, sources.keys(), former)
        write_bytes(staging / MANIFEST, manifest.content())
        write_bytes(staging / HISTORY, extended_history(folder, manifest, sources))
        _replace(folder, sources, former, not_before, settings, manifest.version)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def newest_time(manifests: Mapping[Path, Manifest], others: Iterable[Path] = ()) -> float:
    """When the newest of the inputs was written, in seconds since 1970; 0 without inputs.

    Args:
        manifests: of the artifacts that are read, by their paths.
        others: further files.

    Raises:
        ArtifactError: one of them is missing.
    """
    paths = [*others, *manifests]
    for path, manifest in manifests.items():
        removed = removed_files(path.parent)
        paths += [path.parent / name for name in manifest.files if name not in removed]
    try:
        return max((path.stat().st_mtime for path in paths), default=0.0)
    except OSError as error:
        raise ArtifactError(unreadable(Path(error.filename), error)) from error


def _stage(folder: Path, files: Mapping[str, Content]) -> dict[str, Path]:
    """Where the content of each file to publish lies, on the file system of `folder`, by name."""
    contents: dict[str, Content] = {}
    for key, content in files.items():
        for name, part in _expand(key, content):
            try:
                check_name(name)
            except ValueError as error:
                raise ArtifactError(str(error)) from error
            if name in contents:
                raise ArtifactError(f"{folder / name} would be published twice")
            contents[name] = part
    for name in contents:
        for parent in PurePosixPath(name).parents:
            if parent.as_posix() in contents:
                raise ArtifactError(f"{folder / parent} would be both a file and a folder")
    return {name: _place(folder, name, part) for name, part in contents.items()}


def _expand(key: str, content: Content) -> Iterable[tuple[str, Content]]:
    """The files that one entry stands for."""
    if not isinstance(content, Path) or not content.is_dir():
        return [(key, content)]
    found = []
    for path in sorted(content.rglob("*")):
        if path.is_file():
            found.append(((PurePosixPath(key) / path.relative_to(content)).as_posix(), path))
        elif path.is_symlink() or not path.is_dir():
            raise ArtifactError(f"{path} cannot be published: it is neither a file nor a folder")
    return found


def _place(folder: Path, name: str, content: Content) -> Path:
    """Bring one file's content onto the file system of `folder`; return where it lies."""
    if isinstance(content, Path):
        if not content.is_file():
            raise ArtifactError(f"{content} cannot be published: there is no such file")
        private = content.absolute().is_relative_to((folder / WORK).absolute())
        same_disk = content.stat().st_dev == folder.stat().st_dev
        if private and same_disk and not content.is_symlink():
            return content
    target = folder / STAGING / "files" / name
    with explained(folder / name):
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        elif isinstance(content, bytes):
            target.write_bytes(content)
        else:
            content(target)
    if not target.is_file():
        raise ArtifactError(f"{folder / name} was not written by the function given for it")
    return target


def _former(folder: Path) -> set[str]:
    """The names that the former runs of the stage published."""
    names: set[str] = set()
    try:
        if (folder / INVENTORY).exists():
            names |= {check_name(name) for name in read_json(folder / INVENTORY)["files"]}
        if (folder / MANIFEST).exists():
            names |= Manifest.load(folder / MANIFEST).files.keys()
    except (ArtifactError, ValueError, TypeError, KeyError) as error:
        # Publishing anew is how an altered folder is repaired, so this must not stop it.
        logger.warning("stale files may stay in %s: %s", folder, error)
    return names


def _check_room(folder: Path, names: Iterable[str], former: set[str]) -> None:
    """Raise if a file would have to replace what is not the stage's own."""
    for name in names:
        target = folder / name
        if target.is_dir():
            inside = (path for path in target.rglob("*") if not path.is_dir())
            foreign = (path.relative_to(folder).as_posix() not in former for path in inside)
            if any(foreign):
                raise ArtifactError(f"{target} cannot be published: a folder of that name exists")
        for parent in list(PurePosixPath(name).parents)[:-1]:
            if (folder / parent).is_file() and parent.as_posix() not in former:
                raise ArtifactError(f"{target} cannot be published: {folder / parent} is a file")


def _seal(paths: Iterable[Path]) -> list[str]:
    """Digest the files and make them durable; in threads, for the disk to work on many at once."""

    def seal(path: Path) -> str:
        with explained(path):
            sync(path)
        return file_digest(path)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(seal, paths))


def _replace(
    folder: Path,
    sources: Mapping[str, Path],
    former: set[str],
    not_before: float,
    settings: str | None,
    version: str,
) -> None:
    """Rename the staged files into place, the manifest last, and remove the stale ones.

    What a killed process left of a private file, half written, goes with them. Each published file gets
    the same time: Snakemake takes a stage for stale whose input is newer than its output. The clock may be
    behind the one by which an input was written; then it is the next full second after that, which file
    systems that count in coarser steps do not cut to an earlier time.
    """
    now = time.time()
    written = now if now >= not_before else float(math.ceil(not_before))
    for private in (INVENTORY, REMOVED):
        for leftover in folder.glob(f".{private}.*.tmp"):
            with explained(leftover):
                leftover.unlink(missing_ok=True)
    given = {} if settings is None else {"settings": settings, "version": version}
    write_json(folder / INVENTORY, {"files": sorted(former | sources.keys())})
    with explained(folder / MANIFEST):
        (folder / MANIFEST).unlink(missing_ok=True)
        (folder / REMOVED).unlink(missing_ok=True)
        sync(folder)
    for name in sorted(former - sources.keys()):
        with explained(folder / name):
            _remove(folder, name)
    folders = {folder}
    for name, source in sources.items():
        target = folder / name
        with explained(target):
            if target.is_dir():
                shutil.rmtree(target)  # only empty folders are left in it
            target.parent.mkdir(parents=True, exist_ok=True)
            os.utime(source, (written, written))  # however long ago the stage made it
            _move(source, target)
        folders |= {folder / parent for parent in PurePosixPath(name).parents}
    write_json(folder / INVENTORY, {"files": sorted(sources), **given})
    with explained(folder / MANIFEST):
        for parent in folders:
            sync(parent)
        (folder / STAGING / HISTORY).replace(folder / HISTORY)
        os.utime(folder / STAGING / MANIFEST, (written, written))
        (folder / STAGING / MANIFEST).replace(folder / MANIFEST)
        sync(folder)


def _move(source: Path, target: Path) -> None:
    """Rename; where both are names of one file already, which `rename` leaves alone, drop the first."""
    if target.exists() and target.samefile(source):
        source.unlink()
    else:
        source.replace(target)


def _remove(folder: Path, name: str) -> None:
    """Remove a stale file and the folders that it leaves empty."""
    path = folder / name
    if path.is_file():  # after a crash it may be gone already, a new folder in its place
        path.unlink()
    for parent in list(PurePosixPath(name).parents)[:-1]:
        if (folder / parent).is_dir() and not any((folder / parent).iterdir()):
            (folder / parent).rmdir()
