"""What a job asks for, by hand."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config.run import RunConfig
from pipeline.driver.resources import JobResources, show_resources


@pytest.mark.parametrize(
    ("run", "gpus", "memory", "granted", "cpus"),
    [
        (RunConfig(gpus=1, cpus=2), None, 3000 + 2000, 1, 2),
        (RunConfig(gpus=8, cpus=64), None, 24000 + 64000, 8, 64),
        (RunConfig(gpus=8, cpus=64), 1, 3000 + 8000, 1, 8),
        # a share of less than one core is one core
        (RunConfig(gpus=4, cpus=2), 1, 3000 + 1000, 1, 1),
    ],
)
def test_a_training_asks_for_its_share_of_the_machine(
    run: RunConfig, gpus: int | None, memory: int, granted: int, cpus: int
) -> None:
    asked = JobResources(run).heavy(90, gpus)
    assert asked == {
        "mem_mb": memory,
        "runtime": 90,
        "nodes": 1,
        "gpu": granted,
        "processes": granted,
        # a stage with GPUs of its own keeps the batch that is for all of them
        "batch_gpus": run.gpus if gpus else 0,
    }
    assert JobResources(run).cpus(granted) == cpus


def test_without_gpus_processes_share_the_cpu() -> None:
    asked = JobResources(RunConfig(device="cpu", gpus=2, cpus=2)).heavy()
    assert (asked["gpu"], asked["processes"]) == (0, 2)


def test_a_job_without_a_share_has_all_cores() -> None:
    assert JobResources(RunConfig(gpus=8, cpus=63)).cpus(None) == 63


@pytest.mark.parametrize(
    ("device", "light", "told"),
    [
        ("cuda", False, "Searching (GPUs: 1, CPUs: 2, MB: 5000, minutes: 720)"),
        # where no GPU is visible the stage runs on the CPU
        ("auto", False, "Searching (GPUs if any: 1, CPUs: 2, MB: 5000, minutes: 720)"),
        ("cpu", False, "Searching (CPUs: 2, MB: 5000, minutes: 720)"),
        ("cuda", True, "Searching (CPUs: 2, MB: 4000, minutes: 60)"),
    ],
)
def test_a_message_says_what_a_stage_asks_for(device: Any, light: bool, told: str) -> None:
    run = RunConfig(device=device, gpus=1, cpus=2)
    asked = JobResources(run).light() if light else JobResources(run).heavy()
    resources = {name: SimpleNamespace(value=value) for name, value in asked.items()}
    rule = SimpleNamespace(message="Searching", resources=resources)
    silent = SimpleNamespace(message=None, resources=resources)
    show_resources([rule, silent], run)
    assert rule.message.format(threads=2, resources=SimpleNamespace(**asked)) == told
    assert silent.message is None
