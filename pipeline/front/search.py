"""What the jobs of the search compute: subnets judged on val, and some of them timed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from pipeline.config.evaluation import LatencyConfig
from pipeline.config.front import Breeding
from pipeline.config.teacher_pool import Recalibration
from pipeline.front.breeding import first_generation
from pipeline.front.clocking import Clock, Loaded
from pipeline.front.judging import Judge
from pipeline.front.predictor import Measured, Predictor, Work, fit_predictor
from pipeline.front.records import Evaluated
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.pool import teacher_of
from pipeline.teacher_pool.space import Subnet
from pipeline.training.seeding import derive_seed

log = logging.getLogger("detsearch")


def evaluate_subnets(
    pool: ElasticDetector,
    subnets: Sequence[Subnet],
    judge: Judge,
    recalibration: Recalibration,
    proposals: int,
    images: int | None,
    predictor: Predictor | None,
    device: torch.device,
) -> tuple[Evaluated, ...]:
    """AP on val with recalibrated batch statistics, MACs, and the predicted time where there is a predictor.

    Args:
        pool: trained.
        subnets: of its space.
        judge: the data.
        recalibration: on how many images statistics are measured.
        proposals: at which the cost of the head is counted.
        images: of val; all where None.
        predictor: of the latency.
        device: where the subnets run.
    """
    found = []
    for number, subnet in enumerate(subnets, 1):
        model, _ = teacher_of(pool, subnet, judge.around, judge.index, recalibration, device)
        detections, ids = judge.detections(model, "val", subnet.resolution, images)
        ap = judge.metrics("val", detections, ids)["AP"]
        work = Work.of(pool.space.architecture(subnet), subnet.resolution, proposals)
        time = predictor.milliseconds(work) if predictor else None
        found.append(Evaluated(subnet=subnet, ap=ap, macs=work.macs, milliseconds=time))
        log.info("subnet %d of %d: AP %.4f, cost %.4g", number, len(subnets), ap, found[-1].cost)
    return tuple(found)


def measure_subnets(
    pool: ElasticDetector,
    count: int,
    judge: Judge,
    recalibration: Recalibration,
    proposals: int,
    settings: LatencyConfig,
    folder: Path,
    seed: int,
) -> Predictor:
    """Time subnets drawn at random, the smallest and the largest among them, and fit the predictor.

    Args:
        pool: trained, on the CPU.
        count: how many.
        judge: the data.
        recalibration: its first batch is enough here, where no subnet is judged by what it finds.
        proposals: at which the cost of the head is counted.
        settings: of the measurement.
        folder: an empty one, for exported detectors.
        seed: of the run.
    """
    one_batch = recalibration.model_copy(
        update={"images": min(recalibration.images, recalibration.batch_size)}
    )
    drawn = first_generation(
        pool.space, Breeding(population=count), derive_seed(seed, "measured subnets")
    )
    clock = Clock(settings, judge.index.classes, folder)
    for number, subnet in enumerate(drawn):
        model, _ = teacher_of(pool, subnet, judge.around, judge.index, one_batch)
        clock.add(Loaded(str(number), model, subnet.resolution))
    latencies = clock.time(judge.index)
    median = {each.model: each.median for each in latencies.models}
    measured = [
        Measured(
            subnet=subnet,
            work=Work.of(pool.space.architecture(subnet), subnet.resolution, proposals),
            milliseconds=median[str(number)],
        )
        for number, subnet in enumerate(drawn)
    ]
    predictor = fit_predictor(measured, latencies)
    log.info(
        "latency of held-out subnets is predicted with a median error of %.1f %%, at most %.1f %%",
        100 * predictor.median_error,
        100 * predictor.worst_error,
    )
    return predictor
