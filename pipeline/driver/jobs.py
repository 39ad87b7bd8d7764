"""The jobs of a run, as Snakemake plans them: which are stages, in which order, which are made anew.

A job and a DAG are Snakemake's; what is used of them is what the functions name.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import explained
from pipeline.artifacts.jobs import Job
from pipeline.artifacts.kept import discard_kept
from pipeline.driver.shell import KEPT


def stages(jobs: Iterable[Any]) -> list[Any]:
    """Those that publish an artifact."""
    return [job for job in jobs if job.output.get("manifest")]


def forget(jobs: Iterable[Any]) -> None:
    """Remove the second names of what jobs published and logged: Snakemake knows that they are done.

    Raises:
        PublishError: the system refuses to remove one.
    """
    jobs = list(jobs)
    for job in stages(jobs):
        discard_kept(Path(job.output.manifest).parent)
    for log in (Path(name + KEPT) for job in jobs for name in job.log):
        with explained(log):
            log.unlink(missing_ok=True)


def to_make_anew(dag: Any, named: Iterable[str]) -> list[Any]:
    """The jobs that need not run, and those that are to run whatever lies there (`-R`, `-F`).

    Args:
        dag: Snakemake's.
        named: files that are to be made anew.
    """
    files = set(named)
    return [
        job
        for job in dag.jobs
        if not dag.needrun(job)
        or job.rule in dag.forcerules
        or not files.isdisjoint(map(str, job.output))
    ]


def in_order(levels: Iterable[Iterable[Any]], run: Path) -> list[Job]:
    """The stages of a run, in an order in which they can be worked off: for `pipeline.status`.

    Args:
        levels: sets of jobs, each of which needs only jobs of earlier ones.
        run: the run's folder.
    """
    found = []
    for level in levels:
        found += sorted(
            Job(
                "_".join((job.rule.name, *map(str, job.wildcards))),
                str(Path(job.log[0]).relative_to(run)),
                str(Path(job.output.manifest).relative_to(run)),
            )
            for job in stages(level)
        )
    return found
