"""What Snakemake has to know of a finished stage, read from its manifest.

Snakemake keeps in `.snakemake` with which params and inputs each file was made. Where a run lies that was
copied or moved here, or whose `.snakemake` is gone, it would call everything up to date, whatever has
changed since. The manifests travel with the run and know the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts.digest import file_digest
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import canonical_json, explained, read_json, read_text, write_text
from pipeline.artifacts.history import last_version
from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.manifest import INVENTORY, MANIFEST, Manifest
from pipeline.driver.annotations import ANNOTATIONS, recorded_versions

STAGE_PARAMS = ("stage", "settings", "arguments", "seed", "code")
"""The params of every stage: the manifest knows them, but for `arguments`, which name the inputs."""


@dataclass(frozen=True)
class Made:
    """With what a stage's files were made, as Snakemake notes it.

    Attributes:
        params: the values of the rule's params.
        inputs: paths of all inputs.
        checksums: digests of inputs by path, as they were then.
        current: whether these are the inputs that lie there now, in the same versions.
    """

    params: tuple[object, ...]
    inputs: tuple[str, ...]
    checksums: Mapping[str, str]
    current: bool


def finished_stages(run: Path) -> Iterator[tuple[Path, Manifest]]:
    """Folder and manifest of every artifact of a run, each after those it was made from.

    What has no sound manifest is left out: no stage reads it, and `verify` names it.
    """
    manifests: dict[Path, Manifest] = {}
    for folder in artifact_folders(run):
        try:
            manifests[folder] = Manifest.load(folder / MANIFEST)
        except ArtifactError:
            continue
    left = dict(manifests)

    def visit(folder: Path) -> Iterator[tuple[Path, Manifest]]:
        manifest = left.pop(folder, None)
        if manifest is None:
            return
        for item in manifest.inputs.values():
            yield from visit((run / item.path).parent)
        yield folder, manifest

    for folder in manifests:
        yield from visit(folder)


def made(
    run: Path, folder: Path, manifest: Manifest, named: Mapping[str, str], watched: Iterable[str]
) -> Made:
    """With what the artifact in `folder` was made.

    Args:
        run: the run's folder, to which the manifest's paths are relative.
        folder: the artifact's.
        manifest: its manifest.
        named: the manifests that its rule reads now, by the stage's names of them.
        watched: all inputs of its rule now.
    """
    recorded = {
        name: str(run / item.path)
        for name, item in manifest.inputs.items()
        if Path(item.path).name == MANIFEST
    }
    checksums, current = {}, recorded == dict(named)
    for item in manifest.inputs.values():
        path = run / item.path
        if path.name != MANIFEST:
            checksums[str(path)] = item.version
            continue
        try:
            found = Manifest.load(path)
        except ArtifactError:
            current = False
            continue
        current &= found.version == item.version
        checksums[str(path)] = file_digest(path)
        checksums |= {str(path.parent / name): digest for name, digest in found.files.items()}
    # not what the rule has now: the stage is stale, whatever the times of its inputs say
    inputs = sorted(map(str, watched)) if current else _versions(run, manifest)
    return Made(
        params=(
            manifest.stage,
            _settings(folder, manifest),
            manifest.seed,
            manifest.code or "untracked",
        ),
        inputs=tuple(inputs),
        checksums={path: checksums[path] for path in inputs if path in checksums},
        current=current,
    )


def _versions(run: Path, manifest: Manifest) -> list[str]:
    """The inputs that an artifact was made from, as `made` notes them where its rule has others now."""
    return sorted(f"{run / item.path} {item.version}" for item in manifest.inputs.values())


def is_as_noted(
    run: Path,
    folder: Path,
    manifest: Manifest,
    stages: Mapping[Path, Manifest],
    noted: tuple[Iterable[str] | None, Iterable[str] | None],
) -> bool:
    """Whether the artifact in `folder` is the one that Snakemake noted, made from what lies there now.

    It is not where an older version was put back, of it or of an input, whatever the times of the files. Nor
    where its rule had other inputs when it was noted: with the config of today it may have them again.

    Args:
        run: the run's folder, to which the manifest's paths are relative.
        folder: the artifact's.
        manifest: its manifest.
        stages: all artifacts of the run.
        noted: the params, each as its repr, and the inputs of Snakemake's record.
    """
    noted_params, noted_inputs = noted
    given = _given_settings(folder)
    if noted_params is None or _published_last(folder, given) not in (None, manifest.version):
        return False
    if manifest.inputs and sorted(noted_inputs or ()) == _versions(run, manifest):
        return False
    params = {manifest.stage, manifest.seed, manifest.code or "untracked"}
    params |= {given["settings"]} if "settings" in given else set()
    if not set(map(repr, params)) <= {*noted_params}:
        return False
    inputs = {run / item.path: item.version for item in manifest.inputs.values()}
    found = {path: stages.get(path.parent) for path in inputs if path.name == MANIFEST}
    return all(there is None or there.version == inputs[path] for path, there in found.items())


def _settings(folder: Path, manifest: Manifest) -> str:
    """The settings as the rule gave them: the manifest's are scaled to the number of GPUs."""
    given = _given_settings(folder)
    if "settings" in given and _published_last(folder, given) in (None, manifest.version):
        return given["settings"]
    return canonical_json(manifest.config, indent=None, sort_keys=True)


def _published_last(folder: Path, given: Mapping[str, str]) -> str | None:
    """The version that was published in a folder last; None where nothing tells."""
    if "version" in given:
        return given["version"]
    try:
        last = last_version(folder)
    except ArtifactError:  # damaged: `verify` names it
        return None
    return last.version if last else None


def _given_settings(folder: Path) -> Mapping[str, str]:
    """Settings of the version that was published last, as its rule gave them, and that version."""
    try:
        content = read_json(folder / INVENTORY)
    except (
        ArtifactError
    ):  # none, or damaged: publishing anew repairs that, so it must not stop a run
        return {}
    given = content if isinstance(content, dict) else {}
    return {
        name: given[name] for name in ("settings", "version") if isinstance(given.get(name), str)
    }


def rule_of(rules: Iterable[Any], folder: Path, stage: str) -> Any | None:
    """Snakemake's rule that publishes a stage's artifact in a folder; None if no rule does."""
    path = str(folder / MANIFEST)
    for rule in rules:
        pattern = rule.output.get("manifest")
        if pattern and rule.params.get("stage") == stage and pattern.match(path):
            return rule
    return None


def further_params(params: Mapping[str, Any], wildcards: Any, manifest: Manifest) -> list[object]:
    """A rule's params besides those of every stage.

    The versions of the user's annotation files are those that the artifact was made from. The others decide
    no result, and are as they are now.

    Args:
        params: by name, with functions of the wildcards among them.
        wildcards: of the artifact.
        manifest: of the artifact.
    """
    further = {name: value for name, value in params.items() if name not in STAGE_PARAMS}
    now = {
        name: value(wildcards) if callable(value) else value
        for name, value in further.items()
        if name != ANNOTATIONS
    }
    if ANNOTATIONS in further:
        now[ANNOTATIONS] = recorded_versions(manifest)
    return list(now.values())


def not_older(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Give outputs that are older than an input the time of the newest: a copy was made in any order.

    Raises:
        PublishError: the system refuses.
    """
    newest = max((path.stat().st_mtime_ns for path in inputs if path.exists()), default=0)
    for path in outputs:
        if path.exists() and path.stat().st_mtime_ns < newest:
            with explained(path):
                os.utime(path, ns=(newest, newest))


def is_known(run: Path, note: Path) -> bool | None:
    """Whether Snakemake's folder belongs to the run that lies there: None where nothing was noted yet.

    Args:
        run: the run's folder.
        note: file in Snakemake's folder in which `now_known` noted which one it was.
    """
    if not note.exists():
        return None
    return read_text(note) == _identity(run)


def now_known(run: Path, note: Path) -> None:
    """Note which folder the run is: a copy or another one in its place is another folder.

    Raises:
        PublishError: the system refuses to write.
    """
    write_text(note, _identity(run))


def _identity(run: Path) -> str:
    return f"{run.absolute()} {run.stat().st_ino}\n"
