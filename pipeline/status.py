"""Show where a run stands: per stage waiting, running, done or failed.

Reads what the run leaves on disk, so it works while the run goes on, from any machine that sees the
folder, and after the driver died.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import unreadable
from pipeline.artifacts.jobs import JOBS, Job, read_jobs
from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.lock import LOCK, holder, is_alive
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.console import counted, run_program
from pipeline.errors import DetSearchError

LAST_LINES = 4
TAIL_BYTES = 20000
PROGRESS = re.compile(
    r"epoch (?P<epoch>\d+), (?P<done>\d+)/(?P<total>\d+), [\d.]+ s/it, (?P<left>\d+) s left"
)
STOPPED = re.compile(r"stopped .* run again|stopped by signal")

State = Literal["waiting", "running", "done", "stopped", "failed"]


@dataclass(frozen=True)
class StageStatus:
    """Where a stage stands; `lines` say more, the first of them in short."""

    name: str
    state: State
    lines: tuple[str, ...] = ()


def read_status(run: Path) -> list[StageStatus]:
    """The state of every stage of a run: of those that a driver noted, and of all that has published.

    Raises:
        ArtifactError: no run was started in this folder, or its list of jobs is damaged.
    """
    folders = artifact_folders(run)
    # where a run was copied without its logs, what it published still tells of itself
    jobs = read_jobs(run) if (run / JOBS).exists() or not folders else []
    named = {job.manifest for job in jobs}
    for folder in folders:
        manifest = (folder / MANIFEST).relative_to(run).as_posix()
        if manifest not in named:
            jobs.append(Job(folder.relative_to(run).as_posix(), "", manifest))
    return [_status(run, job) for job in jobs]


def _status(run: Path, job: Job) -> StageStatus:
    try:
        return _told(run, job)
    except OSError as error:
        return StageStatus(job.name, "failed", (unreadable(Path(error.filename), error),))


def _told(run: Path, job: Job) -> StageStatus:
    manifest, log = run / job.manifest, _tail(run / job.log) if job.log else []
    lock = manifest.parent / LOCK
    try:
        if lock.exists() and is_alive(lock):
            return StageStatus(job.name, "running", (f"{_progress(log)}, {holder(lock)}",))
    except ArtifactError as error:
        return StageStatus(job.name, "failed", (str(error),))
    if manifest.exists():
        try:
            return StageStatus(job.name, "done", (_made(Manifest.load(manifest)),))
        except ArtifactError as error:
            return StageStatus(job.name, "failed", (str(error),))
    if not log:
        return StageStatus(job.name, "waiting")
    if STOPPED.search(log[-1]):
        return StageStatus(job.name, "stopped", ("goes on from its checkpoint when run again",))
    return StageStatus(job.name, "failed", (f"log: {run / job.log}", *log[-LAST_LINES:]))


def _progress(log: Sequence[str]) -> str:
    for line in reversed(log):
        if found := PROGRESS.search(line):
            left = timedelta(seconds=int(found["left"]))
            return f"epoch {found['epoch']}, step {found['done']} of {found['total']}, {left} left"
    return "started"


def _made(manifest: Manifest) -> str:
    job = f", job {manifest.job.id} on {manifest.job.node}" if manifest.job else ""
    return f"{timedelta(seconds=round(manifest.wall_seconds))} on {manifest.device}{job}"


def _tail(path: Path) -> list[str]:
    """The last lines of a log that say something; none if there is no log."""
    if not path.exists():
        return []
    if not path.is_file():
        return [f"{path} is no file"]
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read(TAIL_BYTES).decode(errors="replace")
    except OSError as error:
        return [unreadable(path, error)]
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def main(argv: list[str] | None = None) -> None:
    """Run the command line: exit code 1 if a stage failed."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.status", description=__doc__)
    parser.add_argument("run", type=Path, help="results/<run>")
    run = parser.parse_args(argv).run
    try:
        stages = read_status(run)
    except DetSearchError as error:
        sys.exit(f"status: {error}")
    width = max((len(stage.name) for stage in stages), default=0)
    for stage in stages:
        first, *further = stage.lines or ("",)
        print(f"{stage.state:<8} {stage.name:<{width}}  {first}".rstrip())
        for line in further:
            print(f"{'':{width + 11}}{line}")
    states = [stage.state for stage in stages]
    counts = ", ".join(
        f"{states.count(state)} {state}"
        for state in ("done", "running", "waiting", "stopped", "failed")
        if state in states
    )
    print(f"{counted(len(stages), 'stage')}: {counts}")
    sys.exit(1 if "failed" in states else 0)


if __name__ == "__main__":
    run_program("status", main)
