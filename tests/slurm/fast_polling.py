"""Snakemake, looking at its SLURM jobs twice a second; the executor plugin itself has no such option."""

import asyncio
import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

SECONDS = 0.5


async def _sleep(self: Executor) -> None:
    await asyncio.sleep(SECONDS)


Executor.sleep = _sleep

if __name__ == "__main__":
    sys.exit(main())
