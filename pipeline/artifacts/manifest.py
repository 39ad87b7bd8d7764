"""The manifest of a published folder: what is in it, and what made it."""

import os
import platform
import tomllib
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline.artifacts.annotation_version import AnnotationFormat, annotation_version
from pipeline.artifacts.digest import file_digest, file_digests, value_digest
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import json_bytes, parse_json, read_text

FORMAT = 1
MANIFEST = "manifest.json"
WORK = "work"
"""A stage's private folder beside what it publishes."""
HISTORY = "history.jsonl"
"""A line for each version of the artifact."""
STAGING = ".publishing"
KEPT = ".kept"
"""Hard links to what was published, until the driver knows that the stage is done (`kept.py`)."""
# Snakemake deletes a job's declared outputs, the manifest among them, before the job starts; this
# list stays, and tells which files of the former run are stale.
INVENTORY = ".published.json"
REMOVED = ".removed.json"
"""The files of the artifact that were removed on purpose (`removal.py`), with their digests."""
PROJECT_FILE = Path(__file__).parents[2] / "pyproject.toml"
DISTRIBUTIONS = {
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "mmdet": ("onedl-mmdetection", "mmdet"),
    "mmengine": ("onedl-mmengine", "mmengine"),
    "mmcv": ("onedl-mmcv", "mmcv", "mmcv-lite"),
    "numpy": ("numpy",),
}
"""Import name to the distributions that may provide it: the maintained fork, then the original."""


def check_name(name: str) -> str:
    """Return the name of a published file: a relative POSIX path that stays in its folder.

    Raises:
        ValueError: it is absolute, not normal (`a//b`, `a/../b`), the manifest, hidden at the top
            level, the history, or in `work/`.
    """
    path = PurePosixPath(name)
    plain = path.as_posix() == name and not path.is_absolute() and ".." not in path.parts
    if (
        not plain
        or name in (MANIFEST, HISTORY)
        or path.parts[:1] == (WORK,)
        or name.startswith(".")
    ):
        raise ValueError(
            f"{name!r} cannot be the name of a published file: allowed is a path relative to the "
            f"folder, without '..', not {MANIFEST} or {HISTORY}, not in {WORK}/ and not starting with a dot"
        )
    return name


Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Name = Annotated[str, AfterValidator(check_name)]


ReadAs = Literal["bytes"] | AnnotationFormat
"""Every byte of a user's file counts, or what is used of annotations in a format."""


class Record(BaseModel):
    """What all parts of a manifest have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(Record):
    """An input of a stage: its path, relative to the run's folder if it is inside, and version."""

    path: str
    version: Digest
    read_as: ReadAs = Field(default="bytes", exclude_if="bytes".__eq__)
    """What of a file that has no manifest its version tells."""


class Job(Record):
    """The cluster's job that made an artifact."""

    id: str
    node: str


class Origin(Record):
    """What determines an artifact. Known before the stage starts; keys its work folder."""

    stage: str
    config: dict[str, Any]
    """The stage's own section of the configuration."""
    code: Digest | None
    """The fingerprint of the stage's code; None when code is not tracked."""
    inputs: dict[str, Input]
    seed: int

    @property
    def version(self) -> str:
        """The digest of stage, config, code, seed and the inputs' versions (not their paths)."""
        content = self.model_dump(mode="json", include=set(Origin.model_fields))
        content["inputs"] = {name: item.version for name, item in self.inputs.items()}
        return value_digest(content)


class Manifest(Origin):
    """`manifest.json`: an artifact's origin, its files, and how it was made."""

    format: Literal[1] = FORMAT
    files: dict[Name, Digest]
    packages: dict[str, str]
    device: str
    job: Job | None
    wall_seconds: float
    gpu_hours: float
    peak_memory: int | None = None
    """Bytes of resident memory of the stage's largest process; None where it was not measured."""
    created: str
    """UTC, ISO 8601, to the second."""

    @classmethod
    def of(
        cls,
        origin: Origin,
        files: dict[str, str],
        *,
        device: str,
        wall_seconds: float,
        gpu_hours: float,
        peak_memory: int | None = None,
    ) -> "Manifest":
        """The manifest of files (relative path: digest) just made here."""
        return cls(
            **{name: getattr(origin, name) for name in Origin.model_fields},
            files=files,
            packages=installed_packages(),
            device=device,
            job=current_job(),
            wall_seconds=round(wall_seconds, 3),
            gpu_hours=round(gpu_hours, 6),
            peak_memory=peak_memory,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def content(self) -> bytes:
        """The bytes of `manifest.json`. The last key seals the rest with its digest."""
        head = {"format": self.format, "stage": self.stage, "version": self.version}
        content = head | self.model_dump(mode="json")
        return json_bytes(content | {"digest": value_digest(content)})

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read a manifest.

        Raises:
            ArtifactError: it is missing (the stage has not finished), cut off, altered in any
                byte, or of another format.
        """
        text = read_text(path)
        content = parse_json(text, path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ArtifactError(f"{path} is not a manifest of format {FORMAT}")
        expected = content.pop("digest", None)
        try:
            found = value_digest(content)
            whole = json_bytes(content | {"digest": found})
        except ArtifactError as error:
            raise ArtifactError(f"{path} was altered: it {error}") from error
        # The bytes too: a space that became a tab leaves the content as it was.
        if found != expected or whole != text.encode():
            raise ArtifactError(
                f"{path} was altered: its own digest says {expected}, its content is {found}"
            )
        version = content.pop("version", None)
        try:
            manifest = cls.model_validate(content)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise ArtifactError(f"{path} is not a manifest: {problems}") from error
        if manifest.version != version:
            raise ArtifactError(f"{path} says version {version}, which is {manifest.version}")
        return manifest


def recorded_code(folder: Path) -> str:
    """The fingerprint of the code that made what is published in `folder`, or `untracked`.

    With it a rule can keep its `params` as they were while the code changes.
    """
    path = folder / MANIFEST
    return (Manifest.load(path).code if path.exists() else None) or "untracked"


def input_version(path: Path, read_as: ReadAs = "bytes") -> str:
    """The version of an input: of the artifact if `path` is a manifest, else of the file.

    Args:
        path: of the manifest or file.
        read_as: what of a file counts: the digest of its bytes, or `annotation_version`.

    Raises:
        ArtifactError: the file is missing, or the manifest is cut off or altered.
    """
    if path.name == MANIFEST:
        return Manifest.load(path).version
    return file_digest(path) if read_as == "bytes" else annotation_version(path, read_as)


def input_record(path: Path, run: Path, read_as: ReadAs = "bytes") -> Input:
    """The record of an input; its path is relative to the folder `run` where it is inside.

    Args:
        path: of a manifest, or of a file of the user's own.
        run: the run's folder.
        read_as: as of `input_version`.

    Raises:
        ArtifactError: the file is missing, or the manifest is cut off or altered.
    """
    absolute, base = path.absolute(), run.absolute()
    inside = absolute.is_relative_to(base)
    shown = absolute.relative_to(base) if inside else absolute
    version = input_version(path, read_as)
    return Input(path=shown.as_posix(), version=version, read_as=read_as)


def removed_files(folder: Path) -> dict[str, str]:
    """Digests of the files of an artifact that were removed on purpose, by name.

    Raises:
        ArtifactError: the note of them cannot be read.
    """
    path = folder / REMOVED
    if not path.exists():
        return {}
    content = parse_json(read_text(path), path)
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict):
        raise ArtifactError(f"{path} is no list of removed files")
    return files


def verify(folder: Path) -> list[str]:
    """Compare a published folder with its manifest. Files that were removed on purpose may be missing.

    Returns:
        One sentence per missing, unreadable or altered file (with expected and found digest); the
        manifest is one of the files. Files that the manifest does not list are not looked at.
    """
    try:
        return _problems(folder, Manifest.load(folder / MANIFEST))
    except ArtifactError as error:
        return [str(error)]


def open_artifact(path: Path) -> Manifest:
    """Load the manifest at `path` and check every file it lists, before any of them is used.

    Raises:
        ArtifactError: a file, or the manifest, is missing, unreadable or altered; one line each,
            with the expected and the found digest.
    """
    manifest = Manifest.load(path)
    if problems := _problems(path.parent, manifest):
        raise ArtifactError("\n".join(problems))
    return manifest


def _problems(folder: Path, manifest: Manifest) -> list[str]:
    removed = removed_files(folder)
    expected_files = {
        folder / name: digest
        for name, digest in manifest.files.items()
        if removed.get(name) != digest or (folder / name).exists()
    }
    paths = list(expected_files)
    problems = []
    for path, expected, found in zip(
        paths, expected_files.values(), file_digests(paths), strict=True
    ):
        if isinstance(found, ArtifactError):
            problems.append(f"{found} (expected {expected}, from {folder / MANIFEST})")
        elif found != expected:
            problems.append(f"{path} was altered: expected {expected}, found {found}")
    return problems


@lru_cache(maxsize=1)
def installed_packages() -> dict[str, str]:
    """The versions of what computes, read from package metadata without importing anything."""
    versions = {"python": platform.python_version(), "detsearch": _own_version()}
    for name, distributions in DISTRIBUTIONS.items():
        versions[name] = installed_version(*distributions)
    return versions


def installed_version(*distributions: str) -> str:
    """That of the first of some distributions that is installed."""
    for distribution in distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"


def _own_version() -> str:
    """The checkout's version, which need not be installed; else the installed one's."""
    if PROJECT_FILE.is_file():
        return tomllib.loads(PROJECT_FILE.read_text())["project"]["version"]
    return metadata.version("detsearch")


def current_job() -> Job | None:
    """The SLURM job this process runs in; None outside one."""
    number = os.environ.get("SLURM_JOB_ID")
    if number is None:
        return None
    return Job(id=number, node=os.environ.get("SLURMD_NODENAME", platform.node()))
