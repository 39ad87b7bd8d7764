"""Kill Snakemake while a stage runs, in three ways, give the plain command again, and compare.

By hand, for 20 moments of each way (half an hour):

    make kill-driver-test

or, on a finished run of config/test.yaml in PROJECT (its stage `search` is made again and again):

    PYTHONPATH=.:tests/workflow .venv/bin/python tests/faults/kill_drivers.py --project PROJECT --moments 5

The ways: the driver alone, whose stage goes on; driver and stage; and the whole process group while the
stage publishes. Every step is logged, and commits a checkpoint: the log, which holds what both processes
wrote, tells which steps were computed, and how often.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stage_jobs import published, remove
from warm_python import warm_python
from workflow_project import Project, copy_project

from pipeline.artifacts.lock import LOCK, holder, is_alive
from pipeline.artifacts.manifest import STAGING, verify

WAYS = ("driver", "driver and stage", "group while publishing")
STAGE = Path("results/test/hit_detector/search")
LOG = Path("results/test/logs/hit_detector/search.log")
COMMAND = (
    *("-m", "snakemake", str(STAGE / "manifest.json")),
    *("--cores", "2", "--configfile", "config/test.yaml"),
)
CHECKPOINT = re.compile(r"\d+_step(\d+)_[0-9a-f]{64}\.pt")
STEP = re.compile(r"search: epoch \d+, (\d+)/(\d+), [^\n]*\bloss ")
EACH_STEP = re.compile(r"(?ms)(^search:\n.*?^  log_interval: )\d+")
DRIVER_LOG = "killed_driver.log"
LIMIT_SECONDS = 300.0


@dataclass
class Outcome:
    """What one kill did.

    Attributes:
        way: of killing.
        moment: the committed step at which it was done.
        steps: those that were computed, in the order of the log.
        problems: what is not as it should be.
    """

    way: str
    moment: int
    steps: list[int]
    problems: list[str]

    def line(self) -> str:
        """One line for people."""
        verdict = "; ".join(self.problems) or "all equal"
        return f"{self.way}, killed at step {self.moment}: {len(self.steps)} steps: {verdict}"


def prepare(project: Project) -> int:
    """Let the project's stages commit each step, and `search` log each; make it so; how many steps it has."""
    path = project.folder / "config/test.yaml"
    text = path.read_text()
    if "checkpoint_seconds" not in text:
        text = text.replace("\nrun:\n", "\nrun:\n  checkpoint_seconds: 0.001\n")
        text, found = EACH_STEP.subn(r"\g<1>1", text)
        assert found == 1
        path.write_text(text)
    if (project.folder / STAGE / "manifest.json").exists():
        remove(project.folder / STAGE)
    code, printed = run(project)
    assert code == 0, printed[-6000:]
    steps = computed(project.folder / LOG)
    assert steps and steps == [*range(1, len(steps) + 1)]
    return len(steps)


def kill_once(project: Project, way: str, step: int, delay: float, at_once: bool) -> Outcome:
    """Kill the driver of `search` once; then give the plain command for the same target.

    Args:
        project: with a finished run.
        way: one of `WAYS`.
        step: after whose checkpoint the kill comes; while publishing it does not count.
        delay: seconds that pass before it, from then or from the publication's beginning.
        at_once: whether the next driver starts while an orphaned stage still runs.
    """
    folder = project.folder / STAGE
    expected = published(folder)
    remove(folder)
    driver = start(project)
    publishing = way == WAYS[2]
    wait_until(
        (folder / STAGING).exists if publishing else lambda: committed(folder) >= step, driver
    )
    time.sleep(delay)
    stage = holder(folder / LOCK)
    if publishing:
        os.killpg(driver.pid, signal.SIGKILL)
    else:
        driver.kill()
        if way == WAYS[1] and stage is not None:
            os.kill(stage.pid, signal.SIGKILL)
    driver.wait()
    if way != WAYS[0] or not at_once:
        wait_until(lambda: not (folder / LOCK).exists() or not is_alive(folder / LOCK))
    moment = committed(folder)
    code, printed = run(project)
    steps = computed(project.folder / LOG)
    if code != 0:
        return Outcome(way, moment, steps, [f"exit code {code}: {printed}"])
    problems = verify(folder)
    if not problems and published(folder) != expected:
        problems = ["other content"]
    twice = sorted({step for step in steps if steps.count(step) > 1})
    if way == WAYS[0] and twice:
        problems.append(f"computed what the orphaned stage computed: {twice}")
    # of a killed step nothing may be left but its line in the log
    if wrong := [step for step in twice if step <= moment or steps.count(step) > 2]:
        problems.append(f"computed again what the checkpoint of {moment} held: {wrong}")
    # lines that were on their way to the log are killed with it
    if not publishing and {*steps} != {*range(1, max(steps, default=1) + 1)}:
        problems.append("not all steps are in the log")
    return Outcome(way, moment, steps, problems)


def run(project: Project) -> tuple[int, str]:
    """Give the plain command; its exit code, and what it printed."""
    result = subprocess.run(
        [warm_python(), *COMMAND],
        cwd=project.folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return result.returncode, result.stdout


def computed(log: Path) -> list[int]:
    """The steps that a log of `search` tells of."""
    return [int(match[1]) for match in STEP.finditer(log.read_text())] if log.exists() else []


def start(project: Project) -> subprocess.Popen[bytes]:
    """The plain command, in a process group of its own."""
    return subprocess.Popen(
        [warm_python(), *COMMAND],
        cwd=project.folder,
        stdout=(project.folder / DRIVER_LOG).open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def committed(folder: Path) -> int:
    """The step of the last checkpoint; 0 without one."""
    names = (path.name for path in folder.glob("work/*/checkpoints/*"))
    return max(
        (int(match[1]) for name in names if (match := CHECKPOINT.fullmatch(name))), default=0
    )


def wait_until(due: Callable[[], bool], driver: subprocess.Popen[bytes] | None = None) -> None:
    """Look again and again until something is so; fails where the driver ended before."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not due():
        assert driver is None or driver.poll() is None, "the driver ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)


def kill_drivers(project: Project, moments: int, seed: int = 0) -> list[Outcome]:
    """Kill in all ways, again and again, at moments spread over the stage's steps; print a line for each."""
    steps = prepare(project)
    rng = random.Random(seed)
    outcomes = []
    for number in range(moments):
        for way in WAYS:
            step = 1 + int((number + rng.random()) / moments * (steps - 1))
            delay = rng.uniform(0, 0.03 if way == WAYS[2] else 0.1)
            outcomes.append(kill_once(project, way, step, delay, at_once=number % 2 == 0))
            print(outcomes[-1].line(), flush=True)
    return outcomes


def main() -> None:
    """The long form, by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--project", type=Path, help="with a finished run; by default one is made")
    parser.add_argument("--moments", type=int, default=20, help="of each way")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        project = Project(arguments.project) if arguments.project else copy_project(Path(name))
        if not arguments.project:
            result = project.snakemake(str(STAGE / "manifest.json"))
            assert result.returncode == 0, result.stdout[-6000:]
        outcomes = kill_drivers(project, arguments.moments, arguments.seed)
    sys.exit(any(outcome.problems for outcome in outcomes))


if __name__ == "__main__":
    main()
