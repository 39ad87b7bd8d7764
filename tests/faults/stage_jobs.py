"""The stage jobs of a run, as Snakemake would start them, run in forked processes that can be killed.

The jobs are read from a dry run, so a new rule falls under the fault tests by itself.
"""

from __future__ import annotations

import importlib
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts.manifest import KEPT, MANIFEST, WORK, Manifest

COMMAND = re.compile(
    r"python -m (?:pipeline\.launch \S+ \S+ \S+ )?(pipeline\.stages\.\w+) (.*?) 2>&1 \| tee"
)
GIVEN = re.compile(r'"\$\(given (.+?) \S+\.settings\)"')
"""How a stage's settings are handed over: as they are, where they are no longer than an argument may be."""
MEASURED = {"speed.json", "latencies.json"}
"""Published files that hold times, which no second run repeats."""


@dataclass(frozen=True)
class Job:
    """A stage with its command line; `manifest` is relative to the project's folder."""

    module: str
    arguments: tuple[str, ...]
    manifest: Path

    @property
    def name(self) -> str:
        """Stage and artifact, such as `screen (hit_detector/screening/neck)`."""
        folder = self.manifest.parent.relative_to(*self.manifest.parts[:1])
        return f"{self.module.rpartition('.')[2]} ({folder})"

    @property
    def run_folder(self) -> Path:
        """`results/<run>`."""
        return Path(*self.manifest.parts[:2])


def stage_jobs(project: Path, config: str, cores: int = 2, target: str | None = None) -> list[Job]:
    """Every stage job of a run, or of a target, in the order of a dry run, whether it is stale or not.

    `cores` must be those of the run: they set the stages' threads, and with these the last bits.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "-n", "-p", "--forceall"]
    result = subprocess.run(
        [*command, *([target] if target else []), "--configfile", config],
        cwd=project,
        text=True,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    jobs = {}
    for module, text in COMMAND.findall(result.stdout + result.stderr):
        words = shlex.split(GIVEN.sub(lambda given: given[1], text))
        manifest = Path(words[words.index("--manifest") + 1])
        jobs[manifest] = Job(module, tuple(words), manifest)
    return list(jobs.values())


def import_stages(jobs: list[Job]) -> None:
    """Import what the stages import, once, before the forks: that is most of a tiny stage's time."""
    for module in {job.module for job in jobs}:
        importlib.import_module(module)


def start(job: Job, project: Path, log: Path, *extra: str) -> int:
    """Fork a process that runs the stage as `python -m` does in the project's folder; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.chdir(project)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = [job.module, *job.arguments, "--run-folder", str(job.run_folder), *extra]
        runpy.run_module(job.module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def wait(pid: int) -> int:
    """The exit code of a forked process, negative for the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_when(pid: int, due: Callable[[], bool]) -> bool:
    """SIGKILL a forked process once something is so; whether it was still running then."""
    while not due():
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if ended:
            return False
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    return wait(pid) == -signal.SIGKILL


def published(folder: Path) -> dict[str, str]:
    """The digest of every published file of an artifact by name, measured times left out."""
    files = Manifest.load(folder / MANIFEST).files
    return {name: digest for name, digest in files.items() if name not in MEASURED}


def remove(folder: Path) -> None:
    """Remove what an artifact published, and its stage's private folder, as if it had never run."""
    for name in [*Manifest.load(folder / MANIFEST).files, MANIFEST]:
        (folder / name).unlink()
    for private in (WORK, KEPT):
        shutil.rmtree(folder / private, ignore_errors=True)
