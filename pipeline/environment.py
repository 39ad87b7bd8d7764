"""How rules, launcher and stages tell each other how a stage runs: environment variables, an exit code.

What a stage makes is said by its arguments. Where batch sizes are scaled, the manifest's config says so.
"""

from __future__ import annotations

RUN = "DETSEARCH_RUN"
"""The run's folder, `results/<run>`, to which a manifest's paths are relative. The rules set it, a stage
reads it."""

DEVICE = "DETSEARCH_DEVICE"
"""`run.device`: auto, cpu or cuda. The rules set it; the launcher and a stage read it."""

REFERENCE_GPUS = "DETSEARCH_REFERENCE_GPUS"
"""GPUs for which the config's batch sizes and learning rates are written. The rules set it; a stage that
runs on another number reads it and scales them."""

BATCH_GPUS = "DETSEARCH_BATCH_GPUS"
"""GPUs for whose number batch sizes and learning rates are to be, however many the stage has; 0: its own. The
rules set it, a stage reads it."""

CHECKPOINT_SECONDS = "DETSEARCH_CHECKPOINT_SECONDS"
"""`run.checkpoint_seconds`, least time between two checkpoints. The rules set it, a stage reads it."""

SCHEDULED = "DETSEARCH_SCHEDULED"
"""1 where a scheduler granted the devices: then all that are visible are this job's. The rules set it, the
launcher reads it."""

DEADLINE = "DETSEARCH_DEADLINE"
"""Seconds since 1970 at which a training stops with a checkpoint. The launcher sets it, the training loop
reads it."""

MEETING = "DETSEARCH_MEETING"
"""File by which the processes of one stage find one another. The launcher sets it, a stage reads it; without
it torch.distributed's own variables say where they meet."""

FORK_SERVER = "DETSEARCH_FORK_SERVER"
"""Socket of the process that stages on this machine are forked from. The driver sets it, the launcher reads
it; without it a stage is a process of its own."""

CPUS = "DETSEARCH_CPUS"
"""CPU cores that were granted to this process. A stage sets it for itself; a data stream reads it."""

INTERRUPTED = 75
"""Exit code of a stage that stopped with a checkpoint, to be continued: EX_TEMPFAIL of sysexits.h."""
