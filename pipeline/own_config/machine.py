"""The machine that a config is written for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from pipeline.doctor.environment import visible_gpus

MOST_CPUS = 8
BF16 = (8, 0)
"""Compute capability from which a GPU computes in bf16."""


@dataclass(frozen=True)
class Machine:
    """What trainings have there.

    Attributes:
        device: `run.device`.
        cpus: CPU cores of a training.
        gpu: name and compute capability; None where there is none, or none is seen from here.
    """

    device: Literal["cpu", "cuda"]
    cpus: int
    gpu: tuple[str, tuple[int, int]] | None = None

    @property
    def bf16(self) -> bool:
        """Whether its GPU computes in bf16."""
        return self.gpu is not None and self.gpu[1] >= BF16

    @property
    def workers(self) -> int:
        """Loading processes: a core is left for the one that trains."""
        return max(0, min(6, self.cpus - 1))

    @classmethod
    def here(cls, wanted: Literal["auto", "cpu", "cuda"]) -> Machine:
        """This machine; `cuda` without a visible GPU is one that is elsewhere, on a cluster's node, say."""
        gpus = [] if wanted == "cpu" else visible_gpus()
        cpus = min(MOST_CPUS, len(os.sched_getaffinity(0)))
        device = "cuda" if gpus or wanted == "cuda" else "cpu"
        # a login node's cores are not those of the node that trains
        return cls(
            device, cpus if gpus or device == "cpu" else MOST_CPUS, gpus[0] if gpus else None
        )
