"""The commands that go on with a config, for a shell."""

from __future__ import annotations

import shlex
from pathlib import Path


def plan_command(config: Path) -> str:
    """What says what the front will take."""
    return _snakemake(config, 1, "plan")


def doctor_command(config: Path) -> str:
    """What looks at machine, data and settings."""
    return shlex.join(("python", "-m", "pipeline.doctor", "--configfile", str(config)))


def front_command(config: Path, cores: int) -> str:
    """What makes the front."""
    return _snakemake(config, cores, "front")


def _snakemake(config: Path, cores: int, target: str) -> str:
    words = ("snakemake", "--cores", str(cores), target, "--configfile", str(config))
    return shlex.join(words)
