"""What the driver does at the start and at the end of a run."""

from pipeline.doctor.datasets import missing_datasets, unused_missing
from pipeline.status import Job, write_jobs


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


onsuccess:
    for name, path in (
        ("report", RUN / "report.html"),
        ("searched detector", HIT / "detector/config.py"),
        ("student", JOINT / "student/detector/config.py"),
    ):
        if path.exists():
            print(f"The {name}: {path}")
