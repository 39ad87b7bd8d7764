"""Kill each stage of a tiny run at random moments, run it again, and compare with the undisturbed run.

By hand, for 20 moments in each kind of stage (some minutes for each stage):

    make kill-test

or, on a finished run of config/test.yaml in PROJECT, for some stages only:

    PYTHONPATH=.:tests/workflow .venv/bin/python tests/faults/kill_stages.py --project PROJECT --stage search

Every iteration commits a checkpoint, so most moments lie in the middle of an epoch. The moments of a
stage are stratified: one at random in each of as many equal parts of its time, or of its iterations.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from stage_jobs import Job, import_stages, kill_when, published, remove, stage_jobs, start, wait
from workflow_project import copy_project

from pipeline.artifacts.files import read_json
from pipeline.artifacts.manifest import MANIFEST, Manifest, verify

HISTORY = "history.json"
STEP = re.compile(r"\d+_step(\d+)_[0-9a-f]{64}\.pt")
RESUMED = re.compile(r": resuming at iteration (\d+) of (\d+)")


@dataclass
class Tally:
    """What the kills of one stage did.

    Attributes:
        name: of the stage and its artifact.
        seconds: that the undisturbed stage took.
        killed: kills that met the running stage.
        resumed: of these, runs that went on from a checkpoint.
        inside: of these, runs that went on in the middle of an epoch.
        publishing: kills that met the stage while it was publishing.
        different: what differed afterwards; empty when all is as it should be.
    """

    name: str
    seconds: float
    killed: int = 0
    resumed: int = 0
    inside: int = 0
    publishing: int = 0
    different: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for people."""
        verdict = f"DIFFERENT: {self.different}" if self.different else "all equal"
        return (
            f"{self.name}: {self.killed} killed in {self.seconds:.2f} s, {self.resumed} resumed"
            f" ({self.inside} in the middle of an epoch), {self.publishing} while publishing: {verdict}"
        )


def kill_stage(job: Job, project: Path, moments: int, seed: int = 0) -> Tally:
    """Kill a stage of the finished run in `project` at random moments; each time run it again."""
    folder = project / job.manifest.parent
    manifest = Manifest.load(folder / MANIFEST)
    expected = published(folder)
    records = read_json(folder / HISTORY)["records"] if (folder / HISTORY).exists() else []
    steps = int(max((record["iteration"] for record in records), default=0))
    epochs = int(max((record["epoch"] for record in records), default=1))
    ends = {steps * epoch // epochs for epoch in range(1, epochs + 1)}
    rng = random.Random(f"{seed} {job.name}")
    with tempfile.TemporaryDirectory() as name:
        kept, log = Path(name) / "kept", Path(name) / "log"
        for file in [*manifest.files, MANIFEST]:
            (kept / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / file, kept / file)

        def run_again() -> str | None:
            log.write_text("")
            code = wait(start(job, project, log, "--checkpoint-seconds", "0"))
            if code != 0:
                return f"exit code {code}: {log.read_text()[-2000:]}"
            if problems := verify(folder):
                return "; ".join(problems)
            found = published(folder)
            names = sorted(expected.keys() | found.keys())
            other = [name for name in names if expected.get(name) != found.get(name)]
            return f"other content: {', '.join(other)}" if other else None

        remove(folder)
        began = time.monotonic()
        problem = run_again()
        tally = Tally(job.name, time.monotonic() - began)
        if problem:
            tally.different = [f"undisturbed: {problem}"]
        for number in range(moments):
            share = (number + rng.random()) / moments
            while True:
                remove(folder)
                pid = start(job, project, Path("/dev/null"), "--checkpoint-seconds", "0")
                # every other moment by progress: on a busy machine times alone miss the training
                by_step = steps > 1 and number % 2 == 1
                due = _after(share * tally.seconds)
                if by_step:
                    due = _at_step(folder, 1 + int(share * (steps - 1)), rng.uniform(0, 0.1))
                if kill_when(pid, due):
                    break
                share *= 0.9  # it had ended by then: somewhat earlier
            tally.killed += 1
            tally.publishing += (folder / ".publishing").exists()
            if problem := run_again():
                tally.different.append(f"killed at {share:.3f} of its time: {problem}")
                break
            if match := RESUMED.search(log.read_text()):
                tally.resumed += 1
                tally.inside += int(match[1]) not in ends
        for file in [*manifest.files, MANIFEST]:
            shutil.copy2(kept / file, folder / file)
    return tally


def _after(seconds: float) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() >= deadline


def _at_step(folder: Path, step: int, delay: float) -> Callable[[], bool]:
    """True from some time after the checkpoint of a step, or of a later one, was committed."""
    reached: list[float] = []

    def due() -> bool:
        names = (path.name for path in folder.glob("work/*/checkpoints/*"))
        if not reached and any(int(m[1]) >= step for name in names if (m := STEP.fullmatch(name))):
            reached.append(time.monotonic())
        return bool(reached) and time.monotonic() >= reached[0] + delay

    return due


def kill_stages(project: Path, jobs: Iterable[Job], moments: int, seed: int = 0) -> list[Tally]:
    """Kill each of the stages, and print a line for each."""
    tallies = []
    for job in jobs:
        tallies.append(kill_stage(job, project, moments, seed))
        print(tallies[-1].line(), flush=True)
    return tallies


def main() -> None:
    """The long form, by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--project", type=Path, help="with a finished run; by default one is made")
    parser.add_argument("--cores", type=int, default=2, help="that the finished run was given")
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stage", nargs="*", help="names of stages; by default all")
    parser.add_argument("--first", action="store_true", help="one job of each stage, not all")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        project = arguments.project
        if project is None:
            copied = copy_project(Path(name))
            # a stage that is run again by itself needs all its inputs
            copied.edit(
                "config/test.yaml", "\nhill_climb:\n", "\nhill_climb:\n  keep_weights: true\n"
            )
            result = copied.snakemake()
            assert result.returncode == 0, result.stdout[-6000:]
            project = copied.folder
        jobs = stage_jobs(project, "config/test.yaml", arguments.cores)
        wanted = arguments.stage
        jobs = [job for job in jobs if not wanted or job.module.rpartition(".")[2] in wanted]
        if arguments.first:
            jobs = list({job.module: job for job in reversed(jobs)}.values())
        import_stages(jobs)
        tallies = kill_stages(project, jobs, arguments.moments, arguments.seed)
    sys.exit(any(tally.different or tally.killed < arguments.moments for tally in tallies))


if __name__ == "__main__":
    main()
