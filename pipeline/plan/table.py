"""The plan as text: a line for each stage, and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pipeline.config.root import Config
from pipeline.plan.images import Images
from pipeline.plan.planned import METHODS, Planned, Reckoning
from pipeline.plan.schedule import Job, schedule

GIB = 2**30
BF16_DENSE, BF16_DEPTHWISE = 0.7, 0.85
"""What bf16 leaves of a step's time: reckoned from the layers of docs/reference/gpu.md, where dense
convolutions take 0.4 to 0.8 of it, batch normalisation 0.8 and undilated depthwise convolutions 0.8 to 0.9.
No whole step in bf16 was measured yet."""
FULL = 4
"""Images at once from which on bf16 is taken to help. With two, a GPU waits for Python: it took longer."""
BY_HAND = 29.6e-12
"""Seconds more for each number that the hand-written batch normalisation puts out than by torch's
synchronised kernels: 8.02 and 2.49 ms for 4 · 768 · 200 · 304 of them, without what is sent."""
ABSURD_HOURS = 1000
"""Of all stages on CPUs: beyond them nobody waits."""
HEADER = ("stage", "GPUs", "GPU-hours", "GiB a GPU", "disk GiB", "hours")


@dataclass(frozen=True)
class Speed:
    """Devices as the plan takes them.

    Attributes:
        gmacs: 10⁹ multiply-accumulates a second, of each, in dense convolutions and with all around them.
        device: `GPU`, or `CPU` for the cores of a job.
        gpus: of all jobs together.
        depthwise_gmacs: the same of depthwise convolutions; `None` where they are no slower.
        bf16: whether they compute in bf16.
        norms_by_hand: whether several synchronise batch normalisation by hand-written code.
    """

    gmacs: float
    device: str
    gpus: int
    depthwise_gmacs: float | None = None
    bf16: bool = False
    norms_by_hand: bool = False

    def hours(self, stage: Planned) -> float:
        """Device-hours of one job of a stage; several devices are taken to be as many times faster."""
        work = stage.compute
        dense = (work.macs - work.depthwise) / (self.gmacs * 1e9)
        depthwise = work.depthwise / ((self.depthwise_gmacs or self.gmacs) * 1e9)
        if self.bf16 and stage.images >= FULL:
            dense, depthwise = BF16_DENSE * dense, BF16_DEPTHWISE * depthwise
        by_hand = BY_HAND * work.normalised * (self.norms_by_hand and stage.gpus > 1)
        return (dense + depthwise + by_hand) / 3600

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
        return Speed(
            plan.gpu_gmacs,
            "GPU",
            together,
            depthwise_gmacs=plan.gpu_depthwise_gmacs,
            bf16=run.precision == "bf16",
        )
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
    advice = _on_gpus(sum(map(devices.all_hours, stages)), devices)
    return "\n".join([aligned(rows), "", *advice, *_assumptions(devices, config, images)])


def _on_gpus(hours: float, devices: Speed) -> list[str]:
    """What to write where CPUs would take absurdly long."""
    if devices.device != "CPU" or hours < ABSURD_HOURS:
        return []
    return [
        f"{hours:,.0f} CPU-hours are no plan: here no GPU is visible, or run.device is cpu. Write",
        "run: {device: cuda} into the config (or --config run='{device: cuda}'), and the plan is for GPUs.",
        "",
    ]


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as lines with their columns below each other, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            word.ljust(width) if column == 0 else word.rjust(width)
            for column, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def lever_table(stages: Callable[[Reckoning], Sequence[Planned]], devices: Speed) -> str:
    """What each lever takes off, one after another; the last line is the plan.

    Args:
        stages: of the run, by what is taken into account.
        devices: of the run.
    """
    plain = Reckoning(thinned=False, alpha_alone=False)
    slow = replace(devices, bf16=False, norms_by_hand=True)
    alone = replace(plain, alpha_alone=True)
    steps = [
        ("float32, norms by hand, every candidate to the end", plain, slow),
        ("steps of α without gradients of weights", alone, slow),
        ("screening removes candidates on its way", Reckoning(), slow),
        (
            "batch norm by torch's synchronised kernels",
            Reckoning(),
            replace(slow, norms_by_hand=False),
        ),
    ]
    if devices.bf16:
        steps.append(("bf16 where a GPU has 4 images or more (estimated)", Reckoning(), devices))
    methods = [name for name in METHODS if any(each.method == name for each in stages(Reckoning()))]
    rows: list[tuple[str, ...]] = [("lever, GPU-hours with it and those before", *methods)]
    for name, reckoning, with_it in steps:
        taken = stages(reckoning)
        hours = [
            sum(with_it.all_hours(stage) for stage in taken if stage.method == method)
            for method in methods
        ]
        rows.append((name, *map(number, hours)))
    return aligned(rows)


def wall_hours(stages: Sequence[Planned], devices: Speed) -> float:
    """Hours until the last of some stages has ended, those side by side that can be."""
    jobs: list[Job] = []
    last: dict[str, tuple[str, ...]] = {}
    for stage in stages:
        before = tuple(job for name in stage.after for job in last.get(name, ()))
        seconds = 3600 * devices.hours(stage) / stage.gpus
        for wave in range(stage.waves):
            names = tuple(f"{stage.name} {wave} {each}" for each in range(stage.jobs))
            jobs += [Job(name, seconds, stage.gpus, before) for name in names]
            before = last[stage.name] = names
    return max(schedule(jobs, devices.gpus).values()) / 3600


def _row(stage: Planned, devices: Speed) -> tuple[str, ...]:
    all_jobs = stage.waves * stage.jobs
    times = (
        f" ({stage.waves} times {stage.jobs} job{'s' * (stage.jobs != 1)})" if all_jobs > 1 else ""
    )
    return (
        stage.name + times,
        str(stage.gpus),
        number(devices.all_hours(stage)),
        number(stage.memory / GIB),
        number((stage.published * all_jobs + stage.work * stage.jobs) / GIB),
        number(wall_hours([stage], devices)),
    )


def _total(name: str, stages: Sequence[Planned], devices: Speed) -> tuple[str, ...]:
    published = sum(stage.published * stage.waves * stage.jobs for stage in stages)
    # a stage's checkpoints are removed when it has published
    largest = max(stage.work * stage.jobs for stage in stages)
    return (
        f"{name}, together",
        str(devices.gpus),
        number(sum(devices.all_hours(stage) for stage in stages)),
        number(max(stage.memory for stage in stages) / GIB),
        number((published + largest) / GIB),
        number(wall_hours(stages, devices)),
    )


def number(value: float) -> str:
    """Two significant digits at least, in as few characters as that takes."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _assumptions(devices: Speed, config: Config, images: Images) -> list[str]:
    run = config.run
    each = {"GPU": "a GPU", "CPU": f"{run.cpus} CPU cores"}[devices.device]
    keys = {"GPU": "plan.gpu_gmacs, plan.gpu_depthwise_gmacs", "CPU": "plan.cpu_gmacs"}
    depthwise = f" and {devices.depthwise_gmacs:g} depthwise" if devices.depthwise_gmacs else ""
    measured = ["What one H200 did in float32 (docs/reference/gpu.md) is the default."] * bool(
        depthwise
    )
    return [
        f"Taken for granted: {each} does {devices.gmacs:g}·10⁹ multiply-accumulates a second{depthwise}"
        f" ({keys[devices.device]}); several are as many times faster; {devices.gpus} at once (plan.gpus).",
        *measured,
        f"Images: {images.train:,} to train on, {images.evaluated:,} evaluated,"
        f" {images.classification:,} for pretraining.",
        "What is searched is not known yet: it counts as the mean of its candidates. Memory: float32"
        " weights, gradients, the optimiser's state,",
        "what autograd keeps, and gradients on their way, half of these two in bf16; without the libraries'"
        " own. Disk: weights and checkpoints,",
        "without the datasets. The other stages take minutes on a CPU.",
    ]
