"""Which artifacts there are, and where they come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.manifest import INVENTORY, KEPT, MANIFEST, STAGING, WORK, Manifest


def artifact_folders(root: Path, refused: Callable[[OSError], None] | None = None) -> list[Path]:
    """Every folder below `root` (and itself) in which a stage has published, sorted.

    Links to folders are followed: parts of a run may lie on another disk.

    Args:
        root: where to look.
        refused: is told of each folder that the system does not give out.
    """
    found = []
    seen: set[Path] = set()
    for folder, folders, files in os.walk(root, onerror=refused, followlinks=True):
        real = Path(folder).resolve()
        if real in seen:  # a link back to what is above it, or a second one to the same
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name not in (WORK, STAGING, KEPT))
        if MANIFEST in files or INVENTORY in files:
            found.append(Path(folder))
    return sorted(found)


def base_folder(folder: Path, manifest: Manifest) -> Path | None:
    """The run's folder, to which a manifest's inputs are relative: the innermost that holds one.

    None if no folder around the artifact holds any of its inputs; the artifact's own if it has none.
    The user's own files lie outside of the run: their paths are absolute.
    """
    paths = [item.path for item in manifest.inputs.values() if not Path(item.path).is_absolute()]
    if not paths:
        return folder
    around = [folder, *folder.parents] if folder.is_absolute() else [folder, *_around(folder)]
    return next(
        (base for base in around if any((base / path).exists() for path in paths)),
        None,
    )


def _around(folder: Path) -> Iterator[Path]:
    """The folders around a relative one, written relatively as far as that goes."""
    yield from folder.parents
    yield from Path.cwd().parents


def lineage(folder: Path) -> Iterator[tuple[int, str, Path, Manifest | str]]:
    """The artifact in `folder` and all it was made from: depth, input's name, folder, manifest.

    An artifact that was shown before comes without its inputs; what has no manifest, or a damaged one,
    comes with a sentence instead.

    Raises:
        ArtifactError: `folder` has no manifest, or an altered one.
    """
    yield from _ancestors(0, "", folder, Manifest.load(folder / MANIFEST), set())


def _ancestors(
    depth: int, name: str, folder: Path, manifest: Manifest, seen: set[str]
) -> Iterator[tuple[int, str, Path, Manifest | str]]:
    yield depth, name, folder, manifest
    if manifest.version in seen:
        return
    seen.add(manifest.version)
    base = base_folder(folder, manifest)
    for key, item in manifest.inputs.items():
        path = (base or folder) / item.path
        if path.name != MANIFEST:
            yield depth + 1, key, path, f"a file, {item.version}"
            continue
        try:
            parent = Manifest.load(path)
        except ArtifactError as error:
            yield depth + 1, key, path.parent, str(error)
            continue
        if parent.version != item.version:
            yield (
                depth + 1,
                key,
                path.parent,
                f"it was made from {item.version}, and {parent.version} lies there now",
            )
            continue
        yield from _ancestors(depth + 1, key, path.parent, parent, seen)


def descended_from(run: Path, *folders: str) -> dict[str, Manifest]:
    """The manifests of artifacts and of all they were made from, by folder, each after its inputs.

    Args:
        run: the run's folder, to which the others and the manifests' inputs are relative.
        folders: of the artifacts to begin with.

    Raises:
        ArtifactError: a manifest is missing or was altered.
    """
    found: dict[str, Manifest] = {}

    def visit(folder: str) -> None:
        manifest = Manifest.load(run / folder / MANIFEST)
        for origin in manifest.inputs.values():
            source, _, file = origin.path.rpartition("/")
            if file == MANIFEST and source not in found:
                visit(source)
        found[folder] = manifest

    for folder in folders:
        if folder not in found:
            visit(folder)
    return found
