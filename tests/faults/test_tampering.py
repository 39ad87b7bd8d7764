"""A published file with another byte, or without its end, is refused by name before anything is computed."""

import hashlib
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from workflow_project import Project

from pipeline.artifacts.check import check_run
from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.manifest import MANIFEST, Manifest, removed_files
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.runner.stage import Stage, stage_main

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


class Nothing(Section):
    """A stage without settings."""


def compute(stage: Stage[Nothing]) -> Mapping[str, Content]:
    """What no stage may come to with a damaged input."""
    raise AssertionError(f"computed with {stage.inputs}")


def refused(artifact: Path, out: Path) -> list[str]:
    """What a stage that reads an artifact says; it takes its inputs as every stage does."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = records.append  # type: ignore[method-assign]
    log = logging.getLogger("detsearch")
    log.addHandler(handler)
    arguments = ["--settings", "{}", "--threads", "1", "--manifest", str(out / MANIFEST)]
    try:
        with pytest.raises(SystemExit) as end:
            stage_main(
                compute,
                Nothing,
                inputs=("artifact",),
                argv=[*arguments, "--artifact", str(artifact / MANIFEST)],
            )
    finally:
        log.removeHandler(handler)
    assert end.value.code == 1
    return [record.getMessage() for record in records]


def flipped(content: bytes) -> bytes:
    """One bit of one byte, in a place that depends on the content."""
    if not content:
        return b"?"
    place = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % len(content)
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


def files_of(folder: Path) -> list[str]:
    """Its published files that are there: of candidates that lost, the run removes the weights."""
    return sorted(Manifest.load(folder / MANIFEST).files.keys() - removed_files(folder))


def test_every_published_file_is_refused_when_damaged(finished: Project, tmp_path: Path) -> None:
    run, out = tmp_path / "test", tmp_path / "out"
    shutil.copytree(finished.results, run)
    assert check_run(run).problems == []
    refusals = 0
    for folder in artifact_folders(run):
        for name in [*files_of(folder), MANIFEST]:
            path = folder / name
            whole = path.read_bytes()
            for damaged in (flipped(whole), whole[: -max(1, len(whole) // 10)]):
                path.write_bytes(damaged)
                (message,) = refused(folder, out)
                assert str(path) in message
                if name != MANIFEST:
                    found = f"found sha256:{hashlib.sha256(damaged).hexdigest()}"
                    assert f"expected sha256:{hashlib.sha256(whole).hexdigest()}" in message
                    assert found in message
                refusals += 1
            path.write_bytes(whole)
    assert refusals > 200
    assert not out.exists()
    assert check_run(run).problems == []


def test_verify_names_all_of_them_at_once(finished: Project, tmp_path: Path) -> None:
    run = tmp_path / "test"
    shutil.copytree(finished.results, run)
    paths = []
    for folder in artifact_folders(run):
        paths += [folder / name for name in files_of(folder)]
    for path in paths:
        path.write_bytes(flipped(path.read_bytes()))
    text = "\n".join(check_run(run).problems)
    assert [path for path in paths if f"{path} was altered" not in text] == []
