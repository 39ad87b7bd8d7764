"""Whether a whole run is as it was published, and whether its artifacts belong together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import is_there, unreadable
from pipeline.artifacts.history import last_version
from pipeline.artifacts.jobs import JOBS, read_jobs
from pipeline.artifacts.lineage import artifact_folders, base_folder
from pipeline.artifacts.manifest import MANIFEST, Input, Manifest, input_version, verify


class Contradiction(NamedTuple):
    """An artifact that was made from another version of an input than there is now."""

    made: Path
    """The artifact's folder."""
    source: Path
    """The input: the folder of an artifact, or a file."""
    expected: str
    """The version that it was made from."""
    found: str

    def __str__(self) -> str:
        return (
            f"{self.made} was made from version {self.expected} of {self.source},"
            f" which is now {self.found}"
        )

    @property
    def to_repair(self) -> Path:
        """The folder of the artifact that is to be made again.

        It is the input's where its history says that the version it was used in was published last: an
        older one was put back in its place.
        """
        last = last_version(self.source)
        return self.source if last and last.version == self.expected else self.made


@dataclass
class RunCheck:
    """What the check of a run found.

    Attributes:
        artifacts: folders that were checked.
        files: how many files they hold.
        problems: one sentence for each file that is missing, unreadable or altered.
        stale: one sentence for each artifact that was made from another version of an input than lies
            there now, or in whose place an older one was put back.
        absent: one sentence for each of the user's own files that an artifact was made from and that
            is not there now, so that nothing can be said about it.
        to_repair: folders of the artifacts that have to be made again for what is stale.
    """

    artifacts: list[Path] = field(default_factory=list)
    files: int = 0
    problems: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    to_repair: list[Path] = field(default_factory=list)


def check_run(root: Path) -> RunCheck:
    """Compare every published file below `root` with its manifest, and every input with its record.

    Raises:
        ArtifactError: nothing is published there, or the folder cannot be read.
    """
    refused: list[OSError] = []
    check = RunCheck(artifact_folders(root, refused.append))
    unread = [unreadable(Path(error.filename), error) for error in refused]
    expected = [*_named_by_jobs(root, check)]
    if not check.artifacts and not expected:
        raise ArtifactError("\n".join(unread) or f"{root}: no stage has published anything there")
    check.problems += unread
    missing = sorted({*check.artifacts, *expected})
    check.problems += [
        f"{folder / MANIFEST} is missing: it was deleted, or the stage that publishes"
        " there has not finished since it was started again"
        for folder in missing
        if not is_there(folder / MANIFEST)
    ]
    for folder in check.artifacts:
        if not is_there(folder / MANIFEST):
            continue
        check.problems += verify(folder)
        try:
            manifest = Manifest.load(folder / MANIFEST)
        except ArtifactError:
            continue  # `verify` has said it
        check.files += len(manifest.files)
        _check_history(check, folder, manifest)
        base = base_folder(folder, manifest)
        for name, item in manifest.inputs.items():
            _check_input(check, folder, name, item, base)
    check.problems = list(dict.fromkeys(check.problems))
    check.to_repair = list(dict.fromkeys(check.to_repair))
    return check


def _named_by_jobs(root: Path, check: RunCheck) -> Iterator[Path]:
    """The folders below `root` in which the runs there, or the one around it, say that stages publish."""
    above = next((run for run in (root, *root.absolute().parents) if is_there(run / JOBS)), None)
    below = {folder for artifact in check.artifacts for folder in artifact.parents}
    below = {run for run in below if run.is_relative_to(root) and is_there(run / JOBS)}
    for run in sorted(below | ({above} if above else set())):
        try:
            jobs = read_jobs(run)
        except ArtifactError as error:
            check.problems.append(f"{error}; the next snakemake writes it anew")
            continue
        for job in jobs:
            folder = (run / job.manifest).parent
            if folder.is_relative_to(root):
                yield folder
            elif folder.absolute().is_relative_to(root.absolute()):
                yield root / folder.absolute().relative_to(root.absolute())


def _check_history(check: RunCheck, folder: Path, manifest: Manifest) -> None:
    """Whether what lies in an artifact's folder is what was published there last."""
    try:
        last = last_version(folder)
    except ArtifactError as error:
        check.problems.append(f"{error}; its other lines are as they were: remove this one")
        return
    if last and (last.version, last.manifest.files) != (manifest.version, manifest.files):
        check.stale.append(
            f"{folder} is stale: it holds version {manifest.version}, but {last.version} was published"
            " there later"
        )
        check.to_repair.append(folder)


def _check_input(check: RunCheck, folder: Path, name: str, item: Input, base: Path | None) -> None:
    path = Path(item.path) if base is None else base / item.path
    made = f"{folder} was made from it as its input {name}"
    outside = Path(item.path).is_absolute()
    if outside and path.name != MANIFEST and not is_there(path):
        check.absent.append(f"{path} is not there any more: {made}")
        return
    if (base is None and not outside) or not is_there(path):
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
        source = path.parent if path.name == MANIFEST else path
        contradiction = Contradiction(folder, source, item.version, found)
        check.stale.append(f"{folder} is stale: {contradiction}")
        check.to_repair.append(_repair_of(contradiction))


def _repair_of(contradiction: Contradiction) -> Path:
    try:
        return contradiction.to_repair
    except ArtifactError:  # a damaged history, which its own artifact's check names
        return contradiction.made


def require_belonging(manifests: Mapping[Path, Manifest]) -> None:
    """Refuse artifacts that do not belong together, before anything is computed with them.

    Each was made from what lies where its manifest says, and so was that, back to the data. An artifact
    that was deleted since, or whose manifest is damaged, says nothing. What is given of another run stands
    for what lies at its place in the first; but not where a stage is given the same artifact of both: it
    compares the two runs, and each belongs together by itself.

    Args:
        manifests: of the artifacts that a stage reads, by their paths.

    Raises:
        ArtifactError: one line for each artifact that was made from another version of an input than
            there is now; the last line says what repairs it.
    """
    found = [*dict.fromkeys(_contradictions(manifests))]
    if not found:
        return
    folders = dict.fromkeys(map(_repair_of, found))
    lines = [f"the inputs do not belong together: {contradiction}" for contradiction in found]
    raise ArtifactError("\n".join([*lines, repair(folders)]))


def repair(folders: Iterable[Path]) -> str:
    """What makes artifacts, and all that was made from them, again."""
    names = ", ".join(str(folder / MANIFEST) for folder in folders)
    return f"To repair: delete {names}, and give the snakemake command again"


def _contradictions(given: Mapping[Path, Manifest]) -> Iterator[Contradiction]:
    """Every artifact among the given ones, and those that they were made from, with such an input."""
    loaded: dict[Path, Manifest | None] = {
        path.absolute(): manifest for path, manifest in given.items()
    }
    compared = _compared_runs(given)
    waiting, seen = [*loaded], {*loaded}
    while waiting:
        path = waiting.pop(0)
        manifest = loaded[path]
        if manifest is None:
            continue
        base = base_folder(path.parent, manifest)
        for item in manifest.inputs.values():
            if Path(item.path).name != MANIFEST:
                continue
            for source in _meant(item.path, base, given, compared):
                if source not in loaded:
                    loaded[source] = _sound(source)
                there = loaded[source]
                if there is not None and there.version != item.version:
                    folders = _shown(path.parent), _shown(source.parent)
                    yield Contradiction(*folders, item.version, there.version)
                elif source not in seen:
                    seen.add(source)
                    waiting.append(source)


def _meant(
    recorded: str, base: Path | None, given: Iterable[Path], compared: Collection[Path]
) -> Iterator[Path]:
    """The manifests that stand for a recorded input: what lies at its path, and what another run gives."""
    others = []
    if base is not None:
        yield (base / recorded).absolute()
        if base.absolute() in compared:
            others = [run for run in compared if run != base.absolute()]
    parts = Path(recorded).parts
    for path in map(Path.absolute, given):
        elsewhere = base is None or not path.is_relative_to(base.absolute())
        alone = any(path.is_relative_to(run) for run in others)
        if elsewhere and not alone and path.parts[-len(parts) :] == parts:
            yield path


def _compared_runs(given: Mapping[Path, Manifest]) -> set[Path]:
    """The folders of runs of which the same artifact is given as of another."""
    runs: dict[Path, set[Path]] = {}
    for path, manifest in given.items():
        base = base_folder(path.parent, manifest)
        if base is not None and base != path.parent:  # which it is of an artifact without inputs
            place = path.absolute().relative_to(base.absolute())
            runs.setdefault(place, set()).add(base.absolute())
    return {run for places in runs.values() if len(places) > 1 for run in places}


def _shown(path: Path) -> Path:
    """A path as it is shorter to read: relative to the working directory, where it lies in that."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _sound(path: Path) -> Manifest | None:
    try:
        return Manifest.load(path)
    except ArtifactError:
        return None
