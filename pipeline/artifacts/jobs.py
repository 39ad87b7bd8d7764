"""Which stages a run consists of, as the driver noted it when it was started: `logs/jobs.json`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_json, write_json

JOBS = "logs/jobs.json"


class Job(NamedTuple):
    """A stage of the run: its name, and its log and manifest, relative to the run's folder."""

    name: str
    log: str
    manifest: str


def write_jobs(run: Path, jobs: Iterable[Job]) -> None:
    """Write down what a run consists of, in the order in which it can be worked off.

    What an earlier driver noted stays, after these, where its stage has left something: each driver knows
    of the stages of its own target only.

    Raises:
        PublishError: the system refuses to write.
    """
    listed = {job.manifest: job for job in jobs}
    try:
        earlier = read_jobs(run)
    except ArtifactError:  # there is none, or it is damaged: this is how it is repaired
        earlier = []
    for job in earlier:
        if (run / job.manifest).exists() or (run / job.log).exists():
            listed.setdefault(job.manifest, job)
    write_json(run / JOBS, {"format": 1, "jobs": [job._asdict() for job in listed.values()]})


def read_jobs(run: Path) -> list[Job]:
    """The stages of a run.

    Raises:
        ArtifactError: no run was started in this folder, or its list of jobs is damaged.
    """
    content = read_json(run / JOBS)
    try:
        jobs = [Job(**job) for job in content["jobs"]]
        if all(isinstance(text, str) for job in jobs for text in job):
            return jobs
        raise TypeError("a name or a path is no text")
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{run / JOBS} is no list of jobs: {error}") from None
