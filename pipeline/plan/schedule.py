"""When jobs run that share some GPUs, and what is lost while a generation waits for its last candidate."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Job:
    """A job of a run.

    Attributes:
        name: unique.
        seconds: that it takes.
        gpus: that it holds.
        after: names of jobs that must have ended.
    """

    name: str
    seconds: float
    gpus: int
    after: tuple[str, ...] = ()


def schedule(jobs: Sequence[Job], gpus: int) -> dict[str, float]:
    """The second at which each job ends; a job starts as soon as it may and its GPUs are free.

    Of jobs that could start, the earlier in the list comes first.

    Raises:
        ValueError: a job asks for more GPUs than there are, or waits for one that is not listed.
    """
    names = {job.name for job in jobs}
    for job in jobs:
        if job.gpus > gpus:
            raise ValueError(f"{job.name} takes {job.gpus} GPUs, but there are {gpus}")
        if missing := set(job.after) - names:
            raise ValueError(f"{job.name} waits for {', '.join(sorted(missing))}: no such job")
    waiting, ends = list(jobs), dict[str, float]()
    running: list[tuple[float, str, int]] = []
    now, free = 0.0, gpus
    while waiting or running:
        for job in list(waiting):
            if job.gpus <= free and ends.keys() >= set(job.after):
                waiting.remove(job)
                free -= job.gpus
                heapq.heappush(running, (now + job.seconds, job.name, job.gpus))
        if not running:
            raise ValueError(f"{waiting[0].name} waits for itself")
        now, name, held = heapq.heappop(running)
        ends[name] = now
        free += held
    return ends


@dataclass(frozen=True)
class SearchTime:
    """A search by generations on some GPUs.

    Attributes:
        gpus: that there are.
        seconds: from the first candidate to the last ranking.
        busy: share of the GPUs' time in which candidates ran.
        barrier: share of the GPUs' time lost between a generation's first idle GPU and its last
            candidate's end.
        idle: share of GPUs that a generation has no candidates for.
    """

    gpus: int
    seconds: float
    busy: float
    barrier: float
    idle: float


def simulate_search(
    durations: Sequence[float],
    *,
    gpus: int,
    gpus_each: int,
    generations: int,
    candidates: int,
    overhead: float = 0.0,
    between: float = 0.0,
    seed: int = 0,
) -> SearchTime:
    """A search whose generations wait for their last candidate, with durations drawn from measured ones.

    Args:
        durations: seconds that candidates took, on `gpus_each` GPUs.
        gpus: that there are.
        gpus_each: of a candidate.
        generations: one after the other.
        candidates: of a generation, side by side.
        overhead: seconds to start a candidate's job.
        between: seconds to rank a generation and to propose the next.
        seed: of the draw.

    Raises:
        ValueError: a candidate takes more GPUs than there are, or no durations are given.
    """
    if not len(durations):
        raise ValueError("no measured durations to draw from")
    rng = np.random.default_rng(seed)
    slots = gpus // gpus_each
    total = work = barrier = 0.0
    for _ in range(generations):
        drawn = overhead + rng.choice(np.asarray(durations, dtype=float), candidates)
        jobs = [Job(str(number), float(each), gpus_each) for number, each in enumerate(drawn)]
        ends = schedule(jobs, gpus)
        last = max(ends.values())
        used = min(slots, candidates)
        work += gpus_each * float(drawn.sum())
        # slots that had a candidate and wait for the slowest
        barrier += gpus_each * (used * last - float(drawn.sum()))
        total += last + between
    whole = gpus * total
    return SearchTime(
        gpus=gpus,
        seconds=total,
        busy=work / whole,
        barrier=barrier / whole,
        idle=1 - (work + barrier) / whole,
    )
