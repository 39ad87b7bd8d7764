"""What the jobs of a stage have spent together: one that is continued counts from its first job on."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.artifacts.files import read_json, write_json

FILE = "spent.json"
OWN = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


@dataclass
class Spent:
    """A clock that goes on where the job before stopped.

    Attributes:
        file: in the stage's work folder, as of the last checkpoint.
        devices: GPUs that this job computes on; 0 on the CPU.
        wall_seconds: of the jobs before this one.
        gpu_hours: the same, devices times hours; their number may change from job to job.
        peak_bytes: resident memory of the largest process of the jobs before this one.
    """

    file: Path
    devices: int
    wall_seconds: float = 0.0
    gpu_hours: float = 0.0
    peak_bytes: int = 0
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, work: Path, devices: int) -> Spent:
        """The clock of the stage whose work folder is `work`."""
        file = work / FILE
        former = read_json(file) if file.exists() else {}
        return cls(file, devices, **former)

    def until_now(self) -> tuple[float, float]:
        """Seconds and GPU-hours of all jobs."""
        seconds = time.monotonic() - self.began
        return self.wall_seconds + seconds, self.gpu_hours + self.devices * seconds / 3600

    def peak_memory(self) -> int:
        """Bytes of resident memory of the largest process of all jobs: this one, or one it started."""
        used = (resource.getrusage(who).ru_maxrss for who in OWN)
        return max(self.peak_bytes, *(kibibytes * 1024 for kibibytes in used))

    def save(self) -> None:
        """Let the next job know. What a killed job did after its last checkpoint is not counted."""
        seconds, hours = self.until_now()
        content = {"wall_seconds": seconds, "gpu_hours": hours, "peak_bytes": self.peak_memory()}
        write_json(self.file, content)
