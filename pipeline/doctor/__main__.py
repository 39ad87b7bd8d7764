"""Check whether a run can work here, and say what to do where it cannot.

Looks at the packages against the lock, the devices, mmcv's kernels, the datasets that the config names and
what is in them, settings that they do not allow, the free disk, and SLURM. Exits with 1 if anything would
make the run fail.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pipeline.config.files import load_config_files
from pipeline.console import run_program
from pipeline.doctor.content import content
from pipeline.doctor.datasets import datasets, given_weights
from pipeline.doctor.environment import (
    code,
    compiled_ops,
    devices,
    disk,
    driver,
    generations,
    packages,
    slurm,
    visible_gpus,
)
from pipeline.doctor.finding import Finding
from pipeline.errors import DetSearchError


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.doctor", description=__doc__)
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[],
        help="as with snakemake, on top of the default",
    )
    arguments = parser.parse_args(argv)
    import torch

    try:
        config = load_config_files(arguments.configfile)
    except DetSearchError as error:
        sys.exit(f"doctor: {error}")
    findings = [
        code(Path.cwd(), os.environ),
        packages(),
        devices(config.run.device),
        generations(visible_gpus(), torch.cuda.get_arch_list(), config.run.device),
        driver(torch.version.cuda, config.run.device),
        compiled_ops(),
        *datasets(config.data),
        *given_weights(config),
        *content(config),
        disk(Path("results") / config.run.name),
        *slurm(os.environ),
    ]
    for finding in findings:
        print(line(finding))
    faults = sum(finding.state == "fault" for finding in findings)
    print(f"{faults} fault{'s' * (faults != 1)}")
    sys.exit(1 if faults else 0)


def line(finding: Finding) -> str:
    """A finding as text; what to do stands on a line of its own."""
    advice = f"\n{'':8}→ {finding.advice}" if finding.advice else ""
    return f"{finding.state:<7} {finding.subject}: {finding.found}{advice}"


if __name__ == "__main__":
    run_program("doctor", main)
