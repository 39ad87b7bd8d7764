"""Snakemake, looking at its SLURM jobs twice a second; the executor plugin itself has no such option."""

import asyncio
import sys

import snakemake_executor_plugin_slurm
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

SECONDS = 0.5


async def _sleep(self: Executor) -> None:
    await asyncio.sleep(SECONDS)


Executor.sleep = _sleep
# While a controller restarts, the plugin would ask sacct in the place of squeue, again and again: the local
# cluster keeps no accounts.
snakemake_executor_plugin_slurm.is_query_tool_available = lambda tool: tool != "sacct"

if __name__ == "__main__":
    sys.exit(main())
