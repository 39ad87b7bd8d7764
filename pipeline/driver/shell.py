"""The shell in which a stage runs: where its programs are, what its command line is."""

from __future__ import annotations

import shlex
from pathlib import Path

from pipeline import environment
from pipeline.config.run import RunConfig
from pipeline.errors import DetSearchError

# A scheduler sends its signals to all processes of a job at once: shell and tee must outlive the stage,
# which commits a checkpoint and says so in its log. The end of a shell is taken for that of the job.
SIGNALS = "trap : TERM USR1 HUP;"

KEPT = ".kept"
"""Ends the second name of a log."""

TEE = (
    "tee() { trap '' TERM USR1 INT HUP PIPE;"
    f' {{ [ ! -f "$1{KEPT}" ] || ln -f "$1{KEPT}" "$1"; [ -e "$1" ] || : > "$1";'
    f' [ ! -f "$1" ] || ln -f "$1" "$1{KEPT}"; }} 2> /dev/null || true;'
    ' command tee -a "$1" || true; };'
)
"""A log that cannot be written (a full disk, a terminal that is gone) fails no stage.

Snakemake deletes the log of a job before it starts it again, also while the job of a dead driver still writes
to it. Until the driver knows that a job is done, its log has a second name: it goes on below what was logged
before, and what two jobs write meanwhile stands in one file.
"""

GIVEN = (
    'given() { if ((${#1} < 30000)); then printf %s "$1";'
    ' else printf %s "$1" > "$2" && printf %s "@$2"; fi; };'
)
"""Writes text that is too long for an argument (Linux: 128 KiB; a character is up to 4 bytes) to a file, and
prints what to pass."""

# Threads that spin for long while they wait make a training step 20 times slower as soon as another
# process takes one of their cores; threads that sleep at once make it 2.7 times slower on an idle
# machine (0.54 s instead of 0.20 s). GCC's runtime, torch's on Linux, knows a middle: spin briefly.
THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "20000"}

STAGE = (
    f"{environment.BATCH_GPUS}={{resources.batch_gpus}}"
    " python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
    " pipeline.stages.{params.stage} {params.arguments}"
    ' --settings "$(given {params.settings:q} {log:q}.settings)"'
    " --seed {params.seed} --code {params.code}"
    " --threads {threads} --manifest {output.manifest:q} 2>&1 | tee {log:q}"
)
"""The command of every stage, as Snakemake fills it in."""


def require_names(checkout: Path, python: Path, working: Path) -> None:
    """Refuse folders whose names no command line can take.

    PATH and PYTHONPATH are lists between colons; Snakemake formats the paths of the files it includes, and
    puts the working directory between double quotes into a shell where a command is long.

    Args:
        checkout: where `pipeline` lies.
        python: where Python's program lies.
        working: where Snakemake was started.

    Raises:
        DetSearchError: for one of them.
    """
    for folder, forbidden in ((checkout, ":{}\n"), (python, ":\n"), (working, '"$`\\\n')):
        if found := [sign for sign in forbidden if sign in str(folder)]:
            raise DetSearchError(
                f"DetSearch cannot be run with the folder {str(folder)!r}, for the"
                f" {' and '.join(map(repr, found))} in its path: move or rename it"
            )


def prefix(checkout: Path, python: Path, run: Path, config: RunConfig, *, scheduled: bool) -> str:
    """What stands before every command.

    Programs are those of this environment, modules those of this checkout: also where Snakemake is started
    in a folder that holds other ones, which -m would take first (PYTHONSAFEPATH). Where a stage runs does
    not make its results stale, so it is told by variables and is no part of the params.

    Args:
        checkout: where `pipeline` lies.
        python: where Python's program lies.
        run: the run's folder.
        config: section `run`.
        scheduled: whether a scheduler started this process.
    """
    return (
        f"set -euo pipefail; {SIGNALS} {TEE} {GIVEN}"
        f" export PATH={shlex.quote(str(python))}:$PATH"
        f' PYTHONPATH={shlex.quote(str(checkout))}:"$PWD" PYTHONSAFEPATH=1'
        f" {' '.join(f'{name}={value}' for name, value in THREADS.items())}"
        f" {environment.RUN}={shlex.quote(str(run))}"
        f" {environment.DEVICE}={config.device}"
        f" {environment.REFERENCE_GPUS}={config.reference_gpus or config.gpus}"
        f" {environment.SCHEDULED}={int(scheduled)}"
        f" {environment.CHECKPOINT_SECONDS}={config.checkpoint_seconds}; "
    )
