"""The digests of a run's results, and how those of two runs differ.

What two runs of one config must share are bits of weights, architectures and numbers. Measured times
are another matter: they differ each time, so no file that holds one is compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.artifacts.digest import file_digests, value_digest
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.manifest import MANIFEST, Manifest, removed_files

RESULTS = (".json", ".py", ".safetensors")
"""Endings of the files that hold results: numbers and architectures, detectors' configs, weights."""
MEASURED = ("speed.json", "latencies.json")
"""Names of published files that hold a measured time."""
LEFT_OUT = (
    "Left out: what holds a measured time (speed.json, latencies.json, manifests, histories of versions,"
    " and the drawings and tables of the report and the studies, which show it), and the images of a"
    " dataset, which are many: its annotations and dataset.json are compared."
)


def result_digests(run: Path) -> dict[str, str]:
    """The digest of each result that a run has published, by its path relative to the run.

    The bytes are read anew. Only of a file that the run removed on purpose, such as the weights of a
    candidate that was not kept, the digest is the one it was published with.

    Args:
        run: the run's folder, or any folder in it.

    Raises:
        ArtifactError: nothing is published there, or a manifest or a file is missing or unreadable.
    """
    folders = artifact_folders(run)
    if not folders:
        raise ArtifactError(f"{run}: no stage has published anything there")
    published: dict[str, Path] = {}
    digests: dict[str, str] = {}
    for folder in folders:
        removed = removed_files(folder)
        for name, digest in Manifest.load(folder / MANIFEST).files.items():
            path = folder / name
            if not is_result(name):
                continue
            shown = path.relative_to(run).as_posix()
            if removed.get(name) == digest and not path.exists():
                digests[shown] = digest
            else:
                published[shown] = path
    for shown, found in zip(published, file_digests(published.values()), strict=True):
        if isinstance(found, ArtifactError):
            raise found
        digests[shown] = found
    return dict(sorted(digests.items()))


def is_result(name: str) -> bool:
    """Whether a published file of this name is compared."""
    path = PurePosixPath(name)
    return path.suffix in RESULTS and path.name not in MEASURED


def digest_of_all(digests: Mapping[str, str]) -> str:
    """One digest for the list of them, whatever its order."""
    return value_digest(dict(digests))


def differences(run: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """One sentence for each result that is not the same in both runs; `other` is the older one."""
    sentences = []
    for path in sorted(run.keys() | other.keys()):
        if path not in run:
            sentences.append(f"missing: {path}")
        elif path not in other:
            sentences.append(f"new: {path}")
        elif run[path] != other[path]:
            sentences.append(f"differs: {path}")
    return sentences
