"""The versions of an artifact: `history.jsonl` beside its manifest, a line for each time it was made.

A line holds the manifest and the metrics, not the weights. It is written when the artifact is published,
not when the next version replaces it: Snakemake deletes the manifest before a stage runs again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import json_bytes, parse_json, read_json, read_text
from pipeline.artifacts.manifest import HISTORY, MANIFEST, Manifest

METRICS = "metrics.json"


class Version(BaseModel):
    """One line of a history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    manifest: Manifest
    metrics: dict[str, Any]
    """The content of every `metrics.json` that was published, by its name."""

    def same(self, other: Version) -> bool:
        """Whether both are one result: made from the same, with the same content."""
        return self.version == other.version and self.manifest.files == other.manifest.files


def extended_history(folder: Path, manifest: Manifest, sources: Mapping[str, Path]) -> bytes:
    """The content of `history.jsonl` with one more version of the artifact in `folder`.

    Nothing is added for a version that the last line holds already, say after a crash. A line that
    cannot be read stays as it is: publishing anew is how an altered folder is repaired.

    Args:
        folder: the artifact's folder.
        manifest: of the new version.
        sources: where its files lie, by name.
    """
    path = folder / HISTORY
    text = read_text(path) if path.exists() else ""
    lines = _lines(text)
    new = Version(
        version=manifest.version,
        manifest=manifest,
        metrics={
            name: read_json(source)
            for name, source in sources.items()
            if PurePosixPath(name).name == METRICS
        },
    )
    try:
        known = bool(lines) and _parse(lines[-1], path, len(lines)).same(new)
    except ArtifactError:
        known = False
    if not known:
        lines.append(json_bytes(new.model_dump(mode="json"), indent=None).decode().rstrip("\n"))
    return "".join(f"{line}\n" for line in lines).encode()


def load_history(folder: Path) -> list[Version]:
    """Every version of the artifact in `folder`, the present one last.

    Raises:
        ArtifactError: there is no history, or a line of it is not one; the message names it.
    """
    path = folder / HISTORY
    if not path.exists() and (folder / MANIFEST).exists():
        raise ArtifactError(f"{path} is missing: {folder} was published before histories were kept")
    return [_parse(line, path, number) for number, line in enumerate(_lines(read_text(path)), 1)]


def last_version(folder: Path) -> Version | None:
    """What was published in `folder` last; None where no history is kept.

    Raises:
        ArtifactError: a line of the history is not one.
    """
    versions = load_history(folder) if (folder / HISTORY).exists() else []
    return versions[-1] if versions else None


def _lines(text: str) -> list[str]:
    """The lines of a history; a name in one may hold what only `str.splitlines` takes for an end of line."""
    return text.removesuffix("\n").split("\n") if text else []


def _parse(line: str, path: Path, number: int) -> Version:
    content = parse_json(line, path)
    try:
        return Version.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ArtifactError(
            f"{path}, line {number}, is not a version of an artifact: {place}: {first['msg']}"
        ) from error


def changes(before: Version, after: Version) -> list[str]:
    """What made the later version another one: config keys with both values, inputs, code, seed."""
    old, new = before.manifest, after.manifest
    found = [
        f"{key}: {_shown(was.get(key))} → {_shown(now.get(key))}"
        for was, now in [(flat(old.config), flat(new.config))]
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key)
    ]
    if old.code != new.code:
        found.append("code")
    if old.seed != new.seed:
        found.append(f"seed: {old.seed} → {new.seed}")
    for name in sorted(old.inputs.keys() | new.inputs.keys()):
        was, now = old.inputs.get(name), new.inputs.get(name)
        if (was and was.version) != (now and now.version):
            found.append(f"input {name}")
    return found


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested dicts by dotted key; lists are leaves."""
    if not isinstance(value, dict):
        return {prefix: value}
    leaves: dict[str, Any] = {}
    for key, item in value.items():
        leaves |= flat(item, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def _shown(value: Any) -> str:
    return "absent" if value is None else str(value)
