"""Where artifacts come from, and whether a whole run is as it was published."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.manifest import (
    INVENTORY,
    KEPT,
    MANIFEST,
    STAGING,
    WORK,
    Input,
    Manifest,
    input_version,
    verify,
)


@dataclass
class RunCheck:
    """What the check of a run found.

    Attributes:
        artifacts: folders that were checked.
        files: how many files they hold.
        problems: one sentence for each file that is missing or altered.
        stale: one sentence for each artifact that was made from another version of an input than lies
            there now; the next run makes it again.
        absent: one sentence for each of the user's own files that an artifact was made from and that
            is not there now, so that nothing can be said about it.
    """

    artifacts: list[Path] = field(default_factory=list)
    files: int = 0
    problems: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def artifact_folders(root: Path) -> list[Path]:
    """Every folder below `root` (and itself) in which a stage has published, sorted."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in (WORK, STAGING, KEPT))
        if MANIFEST in files or INVENTORY in files:
            found.append(Path(folder))
    return sorted(found)


def check_run(root: Path) -> RunCheck:
    """Compare every published file below `root` with its manifest, and every input with its record.

    Raises:
        ArtifactError: nothing is published there.
    """
    check = RunCheck(artifact_folders(root))
    if not check.artifacts:
        raise ArtifactError(f"{root}: no stage has published anything there")
    for folder in check.artifacts:
        if not (folder / MANIFEST).exists():
            check.problems.append(
                f"{folder / MANIFEST} is missing: it was deleted, or the stage that publishes"
                " there has not finished since it was started again"
            )
            continue
        check.problems += verify(folder)
        try:
            manifest = Manifest.load(folder / MANIFEST)
        except ArtifactError:
            continue  # `verify` has said it
        check.files += len(manifest.files)
        base = base_folder(folder, manifest)
        for name, item in manifest.inputs.items():
            _check_input(check, folder, name, item, base)
    check.problems = list(dict.fromkeys(check.problems))
    return check


def _check_input(check: RunCheck, folder: Path, name: str, item: Input, base: Path | None) -> None:
    path = Path(item.path) if base is None else base / item.path
    made = f"{folder} was made from it as its input {name}"
    outside = Path(item.path).is_absolute()
    if outside and path.name != MANIFEST and not path.exists():
        check.absent.append(f"{path} is not there any more: {made}")
        return
    if (base is None and not outside) or not path.exists():
        if path.parent not in check.artifacts:
            check.problems.append(f"{path} is missing: {made} (expected version {item.version})")
        return
    try:
        found = input_version(path, item.read_as)
    except ArtifactError as error:
        if path.parent not in check.artifacts:
            check.problems.append(f"{error} ({made})")
        return
    if found != item.version:
        check.stale.append(
            f"{folder} is stale: it was made from version {item.version} of {path}, which is now {found}"
        )


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
