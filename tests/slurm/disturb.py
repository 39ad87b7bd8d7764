r"""The test run through a real local SLURM, and each fault of a cluster once while a stage trains.

By hand (a quarter of an hour on two cores):

    make slurm-test

or some parts only, on a finished run of config/test.yaml in PROJECT:

    PYTHONPATH=.:tests/workflow:tests/slurm \
        .venv/bin/python tests/slurm/disturb.py --project PROJECT --part scancel

First every stage up to the evaluated detector runs as a SLURM job, one of them with two GPUs, and what they
publish is compared, digest by digest, with the run that made PROJECT without SLURM. Then the training of the
detector is disturbed, and what it publishes is compared with an undisturbed training.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local_cluster import LocalCluster, SlurmJob, missing_programs
from slurm_run import SlurmRun, jobs_of, kill_driver, longer
from workflow_project import Project, copy_project

from pipeline.artifacts.check import check_run
from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.lock import LOCK, holder
from pipeline.artifacts.manifest import MANIFEST, STAGING

DETECTOR = "hit_detector/detector"
EVALUATION = "hit_detector/evaluation"
LOCAL_RULES = {"hit_detector"}
"""Artifacts of rules that never leave the driver's machine: deriving the architecture."""
EPOCHS = 80
CHECKPOINT = re.compile(r"_step(\d+)_")
RESUMED = re.compile(r"resuming at iteration (\d+) of")


@dataclass
class Scene:
    """What a fault can act on.

    Attributes:
        run: of the training that is disturbed.
        cluster: where it runs.
        target: of the driver.
    """

    run: SlurmRun
    cluster: LocalCluster
    target: str

    def trained(self, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
        """Start a driver, and wait until its job trains: the driver and the job."""
        driver = self.run.start(self.target, *arguments)
        return driver, self.run.training(DETECTOR, driver)


Fault = Callable[[Scene], str]
"""Runs a training to its good end with a disturbance in it; says in a line what happened."""


def undisturbed(scene: Scene) -> str:
    """Nothing happens."""
    scene.run.run(scene.target)
    return "one job"


def scancel(scene: Scene) -> str:
    """The job is cancelled: it commits a checkpoint, and is submitted again."""
    driver, job = scene.trained()
    before = scene.run.checkpoints(DETECTOR)
    began = time.monotonic()
    scene.cluster.command("scancel", job)
    lock = scene.run.folder(DETECTOR) / LOCK
    scene.run.wait_for(lambda: "ended" if _holder(lock) != job else None, driver)
    seconds = time.monotonic() - began
    log = (scene.run.project.results / "logs/hit_detector/train_detector.log").read_text()
    scene.run.finish(driver)
    assert "stopped by signal" in log, f"the stage did not stop by itself:\n{log[-1000:]}"
    assert seconds < 20, f"the checkpoint took {seconds:.1f} s"
    assert before
    return f"job {job} stopped with a checkpoint in {seconds:.1f} s"


def node_dies(scene: Scene) -> str:
    """The node's slurmd and all its processes are killed: the job goes on on another node."""
    driver, job = scene.trained()
    node = scene.cluster.jobs()[job].node
    scene.cluster.kill_node(node)
    try:
        scene.run.finish(driver)
    finally:
        scene.cluster.start_node(node)
    other = _last_job(scene)
    assert other.node != node, f"job {other.id} ran on {node}, which was dead"
    return f"job {job} died with {node}, job {other.id} went on on {other.node}"


def time_limit(scene: Scene) -> str:
    """A limit of a minute at first is too short: the stage stops before it, as often as it takes."""
    first = set(scene.cluster.jobs())
    scene.run.run(scene.target, "--set-resources", "train_detector:runtime=attempt")
    jobs = [job for number, job in scene.cluster.jobs().items() if number not in first]
    assert jobs[0].seconds == 60
    assert len(jobs) > 1, "one job was enough: the limit was not too short"
    states = [job.state for job in jobs]
    assert "TIMEOUT" not in states, f"a job was killed at its limit: {states}"
    return f"{len(jobs)} jobs of one minute and more, none of which reached its limit"


def driver_dies(scene: Scene) -> str:
    """Snakemake is killed: its job goes on; the next driver's waits for it, and uses what it made."""
    driver, job = scene.trained()
    kill_driver(driver)
    scene.run.run(scene.target)
    (made,) = jobs_of([scene.run.folder(DETECTOR) / MANIFEST]).values()
    assert made == job, f"job {made} made it anew beside job {job}"
    last = _last_job(scene)
    assert last.id != job and last.state == "COMPLETED"
    return f"job {job} of the dead driver finished, job {last.id} waited for it"


def driver_and_stage_die(scene: Scene) -> str:
    """Both are killed at once: the next driver's job goes on from the last checkpoint."""
    driver, job = scene.trained()
    kill_driver(driver)
    _kill_stage(scene)
    step = max(int(CHECKPOINT.findall(name)[0]) for name in scene.run.checkpoints(DETECTOR))
    scene.run.run(scene.target)
    log = (scene.run.project.results / "logs/hit_detector/train_detector.log").read_text()
    resumed = [int(found) for found in RESUMED.findall(log)]
    assert resumed == [step], f"the checkpoint was of step {step}, and it went on at {resumed}"
    return f"job {job} was killed, and job {_last_job(scene).id} went on at step {step}"


def all_die_while_publishing(scene: Scene) -> str:
    """Driver and stage are killed while the stage publishes: no step is computed again."""
    driver = scene.run.start(scene.target)
    staging = scene.run.folder(DETECTOR) / STAGING
    scene.run.wait_for(staging.exists, driver)
    kill_driver(driver)
    _kill_stage(scene)
    scene.run.run(scene.target)
    log = (scene.run.project.results / "logs/hit_detector/train_detector.log").read_text()
    steps = re.findall(r"epoch \d+, (\d+)/\d+, .*\bloss ", log)
    again = sorted({step for step in steps if steps.count(step) > 1})
    assert again == [], f"computed again: {again}"
    return f"job {_last_job(scene).id} took it back or published it, and computed nothing"


def _kill_stage(scene: Scene) -> None:
    if held := holder(scene.run.folder(DETECTOR) / LOCK):
        with suppress(ProcessLookupError):
            os.kill(held.pid, signal.SIGKILL)


def controller_restarts(scene: Scene) -> str:
    """The controller is away for some seconds: nothing is lost."""
    driver, job = scene.trained()
    scene.cluster.restart_controller(5.0)
    scene.run.finish(driver)
    (made,) = jobs_of([scene.run.folder(DETECTOR) / MANIFEST]).values()
    assert made == job
    return f"job {job} went on"


FAULTS: Mapping[str, Fault] = {
    "undisturbed": undisturbed,
    "scancel": scancel,
    "node": node_dies,
    "limit": time_limit,
    "driver": driver_dies,
    "driver_and_stage": driver_and_stage_die,
    "publishing": all_die_while_publishing,
    "controller": controller_restarts,
}
WHOLE_RUN, TWO_GPUS = "whole_run", "two_gpus"
PARTS = (WHOLE_RUN, TWO_GPUS, *FAULTS)


def _holder(lock: Path) -> str | None:
    held = holder(lock)
    return held.job if held else None


def _last_job(scene: Scene) -> SlurmJob:
    return max(scene.cluster.jobs().values(), key=lambda job: int(job.id))


def end_to_end(project: Project, cluster: LocalCluster, expected: SlurmRun) -> str:
    """Every stage up to the evaluated detector as a SLURM job; the same files as without SLURM."""
    run = SlurmRun(project, cluster)
    run.run("hit_detector")
    assert check_run(project.results).problems == []
    folders = [folder.relative_to(project.results) for folder in artifact_folders(project.results)]
    jobs = cluster.jobs()
    sent = 0
    for name in map(str, folders):
        assert run.published(name) == expected.published(name), f"{name} differs"
        if name in LOCAL_RULES:
            continue
        (number,) = jobs_of([run.folder(name) / MANIFEST]).values()
        gpus = 0 if name.startswith("data/") else 1
        assert jobs[number].gpus == gpus, f"{name} got {jobs[number].gpus} GPUs, not {gpus}"
        sent += 1
    assert sent == len(jobs)
    return f"{len(folders)} artifacts, {sent} SLURM jobs, every file as without SLURM"


def two_gpus(run: SlurmRun, cluster: LocalCluster) -> str:
    """A stage that asks for two GPUs gets two, and trains in two processes."""
    run.remove(DETECTOR)  # how many GPUs train does not make it stale
    run.run(
        run.target(DETECTOR),
        *("--config", "run={gpus: 2, reference_gpus: 2}"),
        *("--set-resources", "train_detector:gpu=2"),
    )
    (number,) = jobs_of([run.folder(DETECTOR) / MANIFEST]).values()
    job = cluster.jobs()[number]
    assert (job.gpus, job.state) == (2, "COMPLETED")
    return f"job {number} got two GPUs"


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--project", type=Path, help="with a finished run; by default one is made")
    parser.add_argument(
        "--part", nargs="*", choices=PARTS, default=PARTS, help="what to run; by default all"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of the disturbed training")
    arguments = parser.parse_args()
    if missing := missing_programs():
        sys.exit(f"SLURM is not installed: {', '.join(missing)} missing")
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.project
        if folder is None:
            folder = Path(name) / "finished"
            folder.mkdir()
            result = copy_project(folder).snakemake("hit_detector")
            assert result.returncode == 0, result.stdout[-6000:]

        def copied(part: str) -> Project:
            shutil.copytree(folder, Path(name) / part, symlinks=True)
            return Project(Path(name) / part)

        def report(what: str, check: Callable[[], str]) -> None:
            nonlocal failed
            began = time.monotonic()
            try:
                said = check()
            except (AssertionError, TimeoutError) as error:
                failed += 1
                said = f"FAILED: {error}"
            print(f"{what}: {said} ({time.monotonic() - began:.0f} s)", flush=True)

        with LocalCluster() as cluster:
            finished = SlurmRun(Project(folder), cluster)
            if WHOLE_RUN in arguments.part:
                fresh = Path(name) / "fresh"
                fresh.mkdir()
                whole = copy_project(fresh)
                report(WHOLE_RUN, lambda: end_to_end(whole, cluster, finished))
            if TWO_GPUS in arguments.part:
                both = SlurmRun(copied("two_gpus"), cluster)
                report(TWO_GPUS, lambda: two_gpus(both, cluster))
            faults = {part: FAULTS[part] for part in arguments.part if part in FAULTS}
            run = SlurmRun(copied("disturbed"), cluster, longer(arguments.epochs))
            if faults:
                run.locally(run.target(DETECTOR))
            expected = run.published(DETECTOR)
            scene = Scene(run, cluster, run.target(DETECTOR))

            def disturbed(fault: Fault) -> str:
                run.run("--unlock")  # where the fault before failed
                run.remove(DETECTOR)
                said = fault(scene)
                assert check_run(run.project.results).problems == []
                assert run.published(DETECTOR) == expected, "other files than undisturbed"
                return f"{said}; every file as undisturbed"

            for part, fault in faults.items():
                report(part, lambda fault=fault: disturbed(fault))
    sys.exit(failed > 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # so that the cluster is stopped, and with it its jobs
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    main()
