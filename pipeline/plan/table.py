"""The plan as text: a line for each stage, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config.root import Config
from pipeline.plan.images import Images
from pipeline.plan.planned import Planned
from pipeline.plan.schedule import Job, schedule

GIB = 2**30
HEADER = ("stage", "GPUs", "GPU-hours", "GiB a GPU", "disk GiB", "hours")


@dataclass(frozen=True)
class Speed:
    """Devices as the plan takes them.

    Attributes:
        gmacs: 10⁹ multiply-accumulates a second, of each.
        device: `GPU`, or `CPU` for the cores of a job.
        gpus: of all jobs together.
    """

    gmacs: float
    device: str
    gpus: int

    def hours(self, stage: Planned) -> float:
        """Device-hours of one job of a stage; several devices are taken to be as many times faster."""
        return stage.macs / (self.gmacs * 1e9) / 3600

    def all_hours(self, stage: Planned) -> float:
        """Device-hours of all jobs of a stage."""
        return self.hours(stage) * stage.waves * stage.jobs


def speed(config: Config, *, gpu_there: bool) -> Speed:
    """What the stages run on.

    Args:
        config: whose `run.device` decides; `auto` takes a GPU where there is one.
        gpu_there: whether this machine has one.
    """
    plan, run = config.plan, config.run
    together = max(plan.gpus or run.gpus, run.gpus)
    if run.device == "cuda" or (run.device == "auto" and gpu_there):
        return Speed(plan.gpu_gmacs, "GPU", together)
    return Speed(plan.cpu_gmacs / run.gpus, "CPU", together)


def plan_table(stages: Sequence[Planned], devices: Speed, config: Config, images: Images) -> str:
    """The table of all stages, with a total for each method."""
    header = tuple(word.replace("GPU", devices.device) for word in HEADER)
    rows: list[tuple[str, ...]] = [header]
    for method in dict.fromkeys(stage.method for stage in stages):
        part = [stage for stage in stages if stage.method == method]
        rows += [_row(stage, devices) for stage in part]
        rows.append(_total(method, part, devices))
    rows.append(_total("all", stages, devices))
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join(
            word.ljust(width) if column == 0 else word.rjust(width)
            for column, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_assumptions(devices, config, images)])


def wall_hours(stages: Sequence[Planned], devices: Speed) -> float:
    """Hours until the last of some stages has ended, those side by side that can be."""
    jobs: list[Job] = []
    last: dict[str, tuple[str, ...]] = {}
    for stage in stages:
        before = tuple(job for name in stage.after for job in last.get(name, ()))
        seconds = 3600 * devices.hours(stage) / stage.gpus
        for wave in range(stage.waves):
            names = tuple(f"{stage.name} {wave} {number}" for number in range(stage.jobs))
            jobs += [Job(name, seconds, stage.gpus, before) for name in names]
            before = last[stage.name] = names
    return max(schedule(jobs, devices.gpus).values()) / 3600


def _row(stage: Planned, devices: Speed) -> tuple[str, ...]:
    number = stage.waves * stage.jobs
    times = f" ({stage.waves} times {stage.jobs} jobs)" if number > 1 else ""
    return (
        stage.name + times,
        str(stage.gpus),
        _number(devices.all_hours(stage)),
        _number(stage.memory / GIB),
        _number((stage.published * number + stage.work * stage.jobs) / GIB),
        _number(wall_hours([stage], devices)),
    )


def _total(name: str, stages: Sequence[Planned], devices: Speed) -> tuple[str, ...]:
    published = sum(stage.published * stage.waves * stage.jobs for stage in stages)
    # a stage's checkpoints are removed when it has published
    largest = max(stage.work * stage.jobs for stage in stages)
    return (
        f"{name}, together",
        str(devices.gpus),
        _number(sum(devices.all_hours(stage) for stage in stages)),
        _number(max(stage.memory for stage in stages) / GIB),
        _number((published + largest) / GIB),
        _number(wall_hours(stages, devices)),
    )


def _number(value: float) -> str:
    """Two significant digits at least, in as few characters as that takes."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _assumptions(devices: Speed, config: Config, images: Images) -> list[str]:
    run = config.run
    each = {"GPU": "a GPU", "CPU": f"{run.cpus} CPU cores"}[devices.device]
    key = {"GPU": "plan.gpu_gmacs", "CPU": "plan.cpu_gmacs"}[devices.device]
    return [
        f"Taken for granted: {each} does {devices.gmacs:g}·10⁹ multiply-accumulates a second ({key});"
        f" several are as many times faster; {devices.gpus} at once (plan.gpus).",
        f"Images: {images.train:,} to train on, {images.evaluated:,} evaluated,"
        f" {images.classification:,} for pretraining.",
        "What is searched is not known yet: it counts as the mean of its candidates. Memory: float32"
        " weights, gradients, the optimiser's state,",
        "and what autograd keeps, without the libraries' own. Disk: weights and checkpoints, without the"
        " datasets. The other stages take minutes on a CPU.",
    ]
