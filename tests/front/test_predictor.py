"""The predictor of latency on times that follow a planted law."""

import numpy as np
import pytest
from front_space import SPACE

from pipeline.deploy.latency import Latencies
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.front.judging import complexity_at
from pipeline.front.predictor import Measured, Work, fit_predictor

RECORD = Latencies(
    runtime="onnxruntime",
    device="none",
    threads=1,
    images=1,
    rounds=1,
    warm_up=0,
    seed=0,
    packages={},
    models=(),
)
LAW = np.array([2.0, 30.0, 400.0, 0.0, 90.0, 0.25])
"""Milliseconds: constant, a million pixels, a GMAC of backbone, pyramid and head, a block."""


def measured(count: int, noise: float) -> list[Measured]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        subnet = SPACE.sample(rng)
        macs = (int(value) for value in rng.integers(10**6, 10**8, 3))
        backbone, pyramid, head = macs
        work = Work(
            pixels=int(np.prod(subnet.resolution)),
            backbone=backbone,
            pyramid=pyramid,
            head=head,
            blocks=sum(subnet.depths),
        )
        time = float(work.row @ LAW) * float(np.exp(noise * rng.normal()))
        found.append(Measured(subnet=subnet, work=work, milliseconds=time))
    return found


def test_a_planted_law_is_found_and_predicts_what_was_not_measured() -> None:
    predictor = fit_predictor(measured(40, 0.0), RECORD)
    assert predictor.worst_error < 1e-6
    other = measured(60, 0.0)[40:]
    for each in other:
        assert predictor.milliseconds(each.work) == pytest.approx(each.milliseconds, rel=1e-6)


def test_the_error_of_held_out_subnets_is_that_of_the_noise() -> None:
    predictor = fit_predictor(measured(100, 0.1), RECORD)
    # the median of |N(0, 0.1)| is 0.067; the regression adds a little
    assert 0.05 < predictor.median_error < 0.1 < predictor.worst_error
    assert min(predictor.coefficients) >= 0


def test_too_few_are_refused() -> None:
    with pytest.raises(DetSearchError, match="at least 10 measured subnets, not 9"):
        fit_predictor(measured(9, 0.0), RECORD)


def test_costs_are_counted_at_multiples_of_32() -> None:
    architecture = SPACE.architecture(SPACE.smallest)
    found = complexity_at(architecture, (90, 70), 20)
    assert found == detector_complexity(architecture, 20, (96, 96))
    work = Work.of(SPACE.smallest, found)
    parts = {name: cost.macs for name, cost in found.components.items()}
    assert work.backbone + work.pyramid + work.head == sum(parts.values()) == found.total.macs
    assert (work.blocks, work.pixels) == (4, 64 * 64)
    assert Work.of_network(architecture, detector_complexity(architecture, 20)) == Work.of(
        SPACE.smallest, detector_complexity(architecture, 20)
    )
