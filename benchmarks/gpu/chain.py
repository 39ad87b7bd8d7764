"""Both methods from end to end by Snakemake on the smallest config, one of them stopped and continued."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import torch

from benchmarks.gpu.bench import Bench, one_line
from benchmarks.gpu.models import begun

ROOT = Path(__file__).parents[2]
PARTS = (
    "Snakefile",
    "rules",
    "config",
    "envs",
    "pipeline",
    "profiles",
    "slurm",
    "workstation",
    "pyproject.toml",
)
"""What a run reads of the checkout."""
CONFIG = "config/test.yaml"
RESULTS = Path("results/test")
INTERRUPTED = 75
"""Exit code of a stage that stopped with a checkpoint."""
STOPPED = "pretrain_screening_supernet"
"""The stage that is sent SIGTERM while it trains: the first one of its method that does."""
LONGER = "screening_pretraining={epochs: 3}"
"""Its training takes one epoch otherwise, which might be over before the signal comes."""
TRAINS = re.compile(r": epoch \d+, (\d+)/\d+, ")
RESUMES = re.compile(r": resuming at iteration (\d+) of (\d+)")
STEPS = re.compile(r"(\d+) of (\d+) steps")
EXIT = re.compile(r"non-zero exit status (\d+)")
TARGETS = {"hit_detector": ("hit_detector",), "joint_detnas": ("joint_detnas",)}
TINY = {
    "hit_detector": (str(RESULTS / "hit_detector/screening/supernet/manifest.json"),),
    "joint_detnas": (str(RESULTS / "joint_detnas/teacher_pool/phase_0/manifest.json"),),
}
"""The first training of each method, for a machine with two cores."""


class ChainOutOfTimeError(Exception):
    """The chain's time limit."""


@dataclass
class Run:
    """A method in its own copy of the checkout, with its own folder for temporary files.

    The stages of a run claim the GPU one after the other; their locks lie among the temporary files. So
    the two methods share the GPU, which no two jobs of one method do.

    Attributes:
        method: its name.
        folder: everything of it.
        device: `cpu` or `cuda`.
        targets: for Snakemake.
        cores: for its jobs.
        deadline: of `time.monotonic`.
        process: Snakemake.
    """

    method: str
    folder: Path
    device: str
    targets: tuple[str, ...]
    cores: int
    deadline: float
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def project(self) -> Path:
        """The copy."""
        return self.folder / "checkout"

    @property
    def log(self) -> Path:
        """What Snakemake printed, all times together."""
        return self.folder / "log"

    @property
    def stage_log(self) -> Path:
        """Of the stage that is stopped."""
        return self.project / RESULTS / "logs/hit_detector" / f"{STOPPED}.log"

    def copy(self) -> None:
        """Copy what a run needs, so that nothing in the checkout changes."""
        for part in PARTS:
            source, to = ROOT / part, self.project / part
            if source.is_dir():
                shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, to)
        (self.folder / "tmp").mkdir()

    def start(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start Snakemake: always the same command."""
        environment = {**os.environ, "TMPDIR": str(self.folder / "tmp")}
        environment["PYTHONPATH"] = str(self.project)
        # each stage is a process, which without files of byte code compiles all that it imports, for
        # ten seconds; machines are made without such files, or forbid to write them
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if not Path(importlib.util.cache_from_source(torch.__file__)).exists():
            environment["PYTHONPYCACHEPREFIX"] = str(self.folder.parent / "bytecode")
        command = [sys.executable, "-m", "snakemake", "--cores", str(self.cores)]
        command += ["--scheduler", "greedy", "--configfile", CONFIG]
        # one method as the config says, the other as a config of `pipeline.begin`
        more = f", {begun(self.device)}" if self.method == "joint_detnas" else ""
        run = f"run={{device: {self.device}{more}}}"
        command += ["--config", run, LONGER, "--", *self.targets]
        self.process = subprocess.Popen(
            command,
            cwd=self.project,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            # a group of its own, to be ended as a whole
            start_new_session=True,
        )
        return self.process

    def wait(self, done: Callable[[], bool] = lambda: False) -> int | None:
        """Wait for Snakemake's end, or until something is so; returns its exit code in the first case.

        Raises:
            ChainOutOfTimeError: it took too long; it was ended with all its jobs.
        """
        assert self.process is not None
        while (code := self.process.poll()) is None:
            if done():
                return None
            if time.monotonic() > self.deadline:
                raise ChainOutOfTimeError
            time.sleep(0.02)
        return code

    def end(self) -> None:
        """End Snakemake and its jobs, if they are still there."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def training(self) -> bool:
        """Whether the stage that is to be stopped has logged a step."""
        return self.stage_log.exists() and bool(TRAINS.search(self.stage_log.read_text()))

    def stage_process(self) -> int:
        """The process of that stage.

        Raises:
            RuntimeError: there is none.
        """
        wanted = ["-m", f"pipeline.stages.{STOPPED}"]
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace").split("\0")
                if words[1:3] == wanted and (path.parent / "cwd").readlink() == self.project:
                    return int(path.parent.name)
            except OSError:  # it has ended meanwhile
                continue
        raise RuntimeError(f"{STOPPED} logs that it trains, and has no process")

    def steps(self) -> str:
        """How far Snakemake came, as it says."""
        found = STEPS.findall(self.log.read_text(errors="replace"))
        return f"{found[-1][0]} of {found[-1][1]}" if found else "none"

    def tail(self) -> str:
        """The end of what it printed."""
        return " ".join(self.log.read_text(errors="replace").split())[-600:]


def chain(bench: Bench) -> None:
    """Run both methods side by side, within this part's limit."""
    deadline = time.monotonic() + bench.result.limit
    targets = TINY if bench.tiny else TARGETS
    cores = max(1, min(7, (os.cpu_count() or 2) // 2))
    # a process that was killed may still be writing
    temporary = tempfile.TemporaryDirectory(prefix="detsearch_chain_", ignore_cleanup_errors=True)
    with temporary as folder:
        # resolved: a process's folder is compared with it
        where = Path(folder).resolve()
        runs = [
            Run(name, where / name, bench.device.type, wanted, cores, deadline)
            for name, wanted in targets.items()
        ]
        threads = [threading.Thread(target=_guarded, args=(bench, run)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _guarded(bench: Bench, run: Run) -> None:
    """A method; what is wrong is noted, and its log is kept."""
    began = time.monotonic()
    try:
        run.copy()
        _whole(bench, run)
    except ChainOutOfTimeError:
        bench.result.late = True
        bench.row(
            case=f"{run.method}: stopped at the time limit",
            seconds=time.monotonic() - began,
            outcome=f"{run.steps()} steps",
        )
    except Exception as error:
        bench.wrong(f"{run.method}: {one_line(error)}")
    finally:
        run.end()
        if run.log.exists():
            shutil.copy(run.log, bench.out / f"chain_{run.method}.log")


def _whole(bench: Bench, run: Run) -> None:
    began = time.monotonic()

    def report(case: str, outcome: str) -> None:
        nonlocal began
        seconds = time.monotonic() - began
        bench.row(case=f"{run.method}: {case}", seconds=seconds, outcome=outcome)
        began = time.monotonic()

    with run.log.open("ab") as log:
        run.start(log)
        if run.method == "hit_detector":
            if (code := run.wait(run.training)) is not None:
                raise RuntimeError(f"ended with {code} before {STOPPED} trained: {run.tail()}")
            os.kill(run.stage_process(), signal.SIGTERM)
            code = run.wait()
            codes = {int(each) for each in EXIT.findall(run.log.read_text(errors="replace"))}
            if not code or codes != {INTERRUPTED}:
                raise RuntimeError(
                    f"after SIGTERM to {STOPPED} Snakemake ended with {code}, its jobs with "
                    f"{codes or 'no failure'} instead of {INTERRUPTED}: {run.tail()}"
                )
            report(f"{STOPPED} stopped while it trained", f"exit code {INTERRUPTED}")
            run.start(log)
            if (code := run.wait(lambda: bool(_resumed(run)))) is not None and not _resumed(run):
                raise RuntimeError(
                    f"ended with {code}, and {STOPPED} did not go on from its checkpoint: {run.tail()}"
                )
            report(f"{STOPPED} went on from its checkpoint", f"at iteration {_resumed(run)}")
        if (code := run.wait()) != 0:
            raise RuntimeError(f"Snakemake ended with {code}: {run.tail()}")
    report("to its end", f"{run.steps()} steps, {_published(run)}")


def _resumed(run: Run) -> str:
    """Where the stage went on; empty if it did not."""
    found = RESUMES.search(run.stage_log.read_text()) if run.stage_log.exists() else None
    return f"{found[1]} of {found[2]}" if found else ""


def _published(run: Run) -> str:
    """How many artifacts were published, and on which devices."""
    made = [
        json.loads(path.read_text())["device"]
        for path in (run.project / RESULTS).rglob("manifest.json")
    ]
    return ", ".join(f"{made.count(device)} artifacts on {device}" for device in sorted(set(made)))
