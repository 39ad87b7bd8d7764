"""What decides, besides its settings, what a process computes: devices, threads, algorithms, seeds."""

from __future__ import annotations

import os

import torch

from pipeline.config.run import Computing
from pipeline.environment import CPUS
from pipeline.training import distributed
from pipeline.training.computing import compute
from pipeline.training.seeding import seed_everything


def prepare_process(
    device: torch.device, threads: int, computing: Computing, *seed: int | str
) -> None:
    """Set up this process, one of those that share the job's CPU cores, to compute repeatably.

    Args:
        device: where it computes. On a CPU the same inputs give the same bits; on a GPU only if that is
            asked for, and there some kernels have no deterministic form, and say so.
        threads: CPU cores of the job.
        computing: precision and algorithms.
        seed: parts of the seed of all random numbers.
    """
    cpus = max(1, threads // distributed.size())
    os.environ[CPUS] = str(cpus)
    torch.set_num_threads(cpus)
    compute(computing)
    on_cpu = device.type == "cpu"
    wanted = on_cpu if computing.deterministic == "auto" else computing.deterministic
    if wanted and not on_cpu:
        # before the first matrix product: cuBLAS reads it when it is set up
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted, warn_only=not on_cpu)
    # it would fill every new tensor once more, for code that reads what it has not written
    # (docs/reference/gpu.md: 6 %)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    seed_everything(*seed)
