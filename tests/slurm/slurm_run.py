"""Snakemake with the project's own SLURM profile on the local cluster, and moments to disturb it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from local_cluster import LocalCluster
from workflow_project import Project

from pipeline.artifacts.lock import LOCK, holder
from pipeline.artifacts.manifest import INVENTORY, MANIFEST, Manifest

FAST_POLLING = Path(__file__).with_name("fast_polling.py")
# the plugin's first look at a job comes 40 s after its submission otherwise
POLLING = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10")
T = TypeVar("T")

MEASURED = {"speed.json", "latencies.json"}
"""Published files that hold times, which no second run repeats."""


def longer(epochs: int) -> dict[str, Any]:
    """Config values for a training of the detector that can be disturbed: longer, with many checkpoints."""
    return {
        "run": {"checkpoint_seconds": 0.3, "cpus": 1},
        "training": {"epochs": epochs, "validation_interval": epochs},
    }


class SlurmRun:
    """Runs of config/test.yaml with other values on top, as SLURM jobs.

    Args:
        project: where; its results are used and changed.
        cluster: where the jobs go.
        values: on top of config/test.yaml.
    """

    def __init__(
        self, project: Project, cluster: LocalCluster, values: Mapping[str, Any] | None = None
    ) -> None:
        self.project, self.cluster = project, cluster
        self.log = project.folder / "driver.log"
        (project.folder / "config" / "on_top.yaml").write_text(yaml.safe_dump(dict(values or {})))
        self.configs = ("--configfile", "config/test.yaml", "config/on_top.yaml")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `snakemake --profile slurm` with what it prints going to `log`."""
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [
                    *(sys.executable, str(FAST_POLLING), *arguments),
                    *("--profile", "slurm", *POLLING, *self.configs),
                ],
                cwd=self.project.folder,
                env=self.cluster.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *arguments: str) -> None:
        """Run it to its end, which must be a good one."""
        self.finish(self.start(*arguments))

    def finish(self, driver: subprocess.Popen[bytes], seconds: float = 600) -> None:
        """Wait for the end of a driver, which must be a good one."""
        code = driver.wait(timeout=seconds)
        assert code == 0, f"exit code {code}\n{self.log.read_text()[-6000:]}"

    def locally(self, *arguments: str) -> None:
        """Run the same without SLURM."""
        result = self.project.snakemake(*arguments, *self.configs)
        assert result.returncode == 0, result.stdout[-6000:]

    def folder(self, artifact: str) -> Path:
        """The folder of an artifact, such as `hit_detector/detector`."""
        return self.project.results / artifact

    def target(self, artifact: str) -> str:
        """The artifact as a target of Snakemake."""
        return str((self.folder(artifact) / MANIFEST).relative_to(self.project.folder))

    def published(self, artifact: str) -> dict[str, str]:
        """The digest of every published file of an artifact, measured times left out."""
        files = Manifest.load(self.folder(artifact) / MANIFEST).files
        return {name: digest for name, digest in files.items() if name not in MEASURED}

    def remove(self, artifact: str) -> None:
        """Remove an artifact, and what its stage keeps, as if it had never been made."""
        folder = self.folder(artifact)
        if (folder / MANIFEST).exists():
            for name in [*Manifest.load(folder / MANIFEST).files, MANIFEST, INVENTORY]:
                (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "work", ignore_errors=True)

    def job_of(self, artifact: str) -> str | None:
        """The SLURM job that makes an artifact now."""
        held = holder(self.folder(artifact) / LOCK)
        return held.job if held else None

    def checkpoints(self, artifact: str) -> set[str]:
        """The committed checkpoints of the stage that makes an artifact."""
        return {path.name for path in self.folder(artifact).glob("work/*/checkpoints/*_step*.pt")}

    def training(self, artifact: str, driver: subprocess.Popen[bytes]) -> str:
        """Wait until the stage of an artifact trains, with a checkpoint behind it; its SLURM job."""

        def there() -> str | None:
            return self.job_of(artifact) if self.checkpoints(artifact) else None

        return self.wait_for(there, driver)

    def wait_for(
        self,
        found: Callable[[], T | None],
        driver: subprocess.Popen[bytes],
        seconds: float = 240,
    ) -> T:
        """Wait for something of a run that goes on."""
        deadline = time.monotonic() + seconds
        while not (value := found()):
            running = driver.poll() is None and time.monotonic() < deadline
            assert running, f"it did not come to that\n{self.log.read_text()[-6000:]}"
            time.sleep(0.02)
        return value


def kill_driver(driver: subprocess.Popen[bytes]) -> None:
    """SIGKILL a driver and its children, as when its machine goes down."""
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()


def jobs_of(manifests: Iterable[Path]) -> dict[str, str]:
    """The SLURM job that each artifact was made by, by the path of its manifest."""
    jobs = {}
    for path in manifests:
        job = Manifest.load(path).job
        assert job is not None, f"{path} was made outside SLURM"
        jobs[str(path)] = job.id
    return jobs
