"""What the driver does at the start and at the end of a run."""

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.kept import discard_kept
from pipeline.doctor.datasets import missing_datasets, unused_missing
from pipeline.driver.presence import appear
from pipeline.status import Job, write_jobs

if workflow.is_main_process and not workflow.dryrun:
    try:
        if appear(Path(".snakemake")):
            print("A driver that died had locked this folder: unlocked.", file=sys.stderr)
    except ArtifactError as error:
        raise WorkflowError(str(error)) from None
    except OSError as error:
        print(
            f"Whether another driver works here cannot be seen ({error.strerror}): after one has died,"
            " `snakemake --unlock` is needed.",
            file=sys.stderr,
        )


def forget(jobs) -> None:
    """Remove the second names of what the stages among jobs published: Snakemake knows that they are done."""
    for job in jobs:
        if job.output.get("manifest"):
            discard_kept(Path(job.output.manifest).parent)


def to_make_anew() -> list:
    """The jobs that need not run, and those that are to run whatever lies there (`-R`, `-F`)."""
    named = set(workflow.dag_settings.forcerun)
    return [
        job
        for job in workflow.dag.jobs
        if not workflow.dag.needrun(job)
        or job.rule in workflow.dag.forcerules
        or not named.isdisjoint(map(str, job.output))
    ]


def jobs_of_run() -> list[Job]:
    """The stages of the run, in an order in which they can be worked off: for `pipeline.status`."""
    levels = [
        [
            Job(
                "_".join((job.rule.name, *map(str, job.wildcards))),
                str(Path(job.log[0]).relative_to(RUN)),
                str(Path(job.output.manifest).relative_to(RUN)),
            )
            for job in level
            if job.output.get("manifest")
        ]
        for level in workflow.dag.toposorted()
    ]
    return [job for level in levels for job in sorted(level)]


def require_datasets() -> None:
    """Refuse to start where a dataset is missing: one message, with the tree that is expected."""
    message = missing_datasets(CONFIG.data)
    if message:
        raise WorkflowError(message)
    if told := unused_missing(CONFIG.data):
        print(f"The datasets: {told}", file=sys.stderr)


onstart:
    if jobs_of_run():
        require_datasets()
        write_jobs(RUN, jobs_of_run())
        now_known(RUN, KNOWN)
    forget(to_make_anew())


onsuccess:
    forget(workflow.dag.jobs)
    for name, path in (
        ("report", RUN / "report.html"),
        ("searched detector", HIT / "detector/config.py"),
        ("student", JOINT / "student/detector/config.py"),
    ):
        if path.exists():
            print(f"The {name}: {path}")
