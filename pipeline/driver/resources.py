"""What the jobs of a run ask a scheduler for, and how they say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.config.run import RunConfig


@dataclass(frozen=True)
class JobResources:
    """Resources of stages, for `python -m pipeline.launch` and for a scheduler.

    `gpu` is what a scheduler grants, on one node; without GPUs, `processes` share the CPU in their place.
    `batch_gpus` is for how many GPUs its batch is; 0: for those it has.
    `mem_mb` are MB, `runtime` minutes.

    Attributes:
        run: the config's section.
    """

    run: RunConfig

    def heavy(self, minutes: int = 720, gpus: int | None = None) -> dict[str, int]:
        """Of a stage that trains.

        A longer training is continued by the profile's `retries`. Memory: of each process with its share
        of the dataset's index, and of each that loads images.

        Args:
            minutes: until the job is ended.
            gpus: how many it uses, with the batch of all of the run; by default these, or as many as a
                profile gives it, with which its batch grows.
        """
        batch_gpus = self.run.gpus if gpus else 0
        gpus = gpus or self.run.gpus
        return {
            "mem_mb": 3000 * gpus + 1000 * self.cpus(gpus),
            "runtime": minutes,
            "nodes": 1,
            "gpu": 0 if self.run.device == "cpu" else gpus,
            "processes": gpus,
            "batch_gpus": batch_gpus,
        }

    def light(self, memory: int = 4000, minutes: int = 60) -> dict[str, int]:
        """Of a stage that does not train: no GPU."""
        return {"mem_mb": memory, "runtime": minutes, "gpu": 0, "processes": 1, "batch_gpus": 0}

    def cpus(self, gpus: int | None) -> int:
        """CPU cores of a job with some of the GPUs, or all: its share of `run.cpus`, at least one."""
        return max(1, self.run.cpus * (gpus or self.run.gpus) // self.run.gpus)


def show_resources(rules: Iterable[Any], run: RunConfig) -> None:
    """Let the message of every stage say what it asks for: Snakemake prints a message in place of that.

    Args:
        rules: Snakemake's.
        run: the config's section; with `device: auto` a stage may find no GPU where it runs.
    """
    granted = (
        "GPUs: {resources.gpu}, " if run.device == "cuda" else "GPUs if any: {resources.gpu}, "
    )
    for rule in rules:
        if rule.message and "mem_mb" in rule.resources:
            gpus = granted if rule.resources["gpu"].value else ""
            # a profile may grant another number than one
            others = "CPUs: {threads}, MB: {resources.mem_mb}, minutes: {resources.runtime}"
            rule.message += f" ({gpus}{others})"
