"""What the driver does at the start and at the end of a run."""

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.jobs import write_jobs
from pipeline.doctor.datasets import missing_datasets, unused_missing
from pipeline.doctor.settings import demands, in_one_list, told_at_start
from pipeline.driver.fork_server import start_fork_server
from pipeline.driver.jobs import forget, in_order, to_make_anew
from pipeline.driver.presence import enter

if workflow.is_main_process and not workflow.dryrun:
    try:
        if told := enter(Path(".snakemake")):
            print(told, file=sys.stderr)
    except ArtifactError as error:
        raise WorkflowError(str(error)) from None


onstart:
    if jobs := in_order(workflow.dag.toposorted(), RUN):
        if missing := missing_datasets(CONFIG.data):
            raise WorkflowError(missing)
        if told := unused_missing(CONFIG.data):
            print(f"The datasets: {told}", file=sys.stderr)
        rules = {job.rule.name for job in workflow.dag.needrun_jobs()}
        wrong, told = told_at_start(CONFIG, RUN, rules)
        if told:
            print("To look at:", *told, sep="\n  - ", file=sys.stderr)
        if wrong:
            raise WorkflowError(in_one_list(wrong))
        demands(CONFIG, rules).write(RUN)
        write_jobs(RUN, jobs)
        now_known(RUN, KNOWN)
        if CONFIG.run.fork_server:
            needed = sum(1 for _ in workflow.dag.needrun_jobs())
            start_fork_server(LOGS / "fork_server.log", needed, local=workflow.local_exec)
    forget(to_make_anew(workflow.dag, workflow.dag_settings.forcerun))


onsuccess:
    forget(workflow.dag.jobs)
    for name, path in (
        ("report", RUN / "report.html"),
        ("page of the front", RUN / "front/page/front.html"),
        ("searched detector", HIT / "detector/config.py"),
        ("student", JOINT / "student/detector/config.py"),
    ):
        if path.exists():
            print(f"The {name}: {path}")
