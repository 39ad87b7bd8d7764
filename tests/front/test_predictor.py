"""The predictor of latency on times that follow a planted law."""

import numpy as np
import pytest
from front_space import SPACE

from pipeline.deploy.latency import Latencies
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.front.judging import complexity_at
from pipeline.front.predictor import Measured, Work, fit_predictor, with_filled_channels
from pipeline.search_space.architecture import FpnNeck, ResidualBlock, ResNetBackbone
from pipeline.zoo.architectures import zoo_architecture

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
LAW = np.array([2.0, 30.0, 400.0, 0.0, 0.0, 200.0, 90.0, 0.25])
"""Milliseconds: constant, a million pixels, a GMAC of backbone, pyramid, both filled, and head, a block."""


def measured(count: int, noise: float) -> list[Measured]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        subnet = SPACE.sample(rng)
        macs = (int(value) for value in rng.integers(10**6, 10**8, 5))
        backbone, pyramid, filled_backbone, filled_pyramid, head = macs
        work = Work(
            pixels=int(np.prod(subnet.resolution)),
            backbone=backbone,
            pyramid=pyramid,
            filled_backbone=filled_backbone,
            filled_pyramid=filled_pyramid,
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
    work = Work.of(architecture, (90, 70), 20)
    assert work.macs == found.total.macs
    assert (work.blocks, work.pixels) == (4, 90 * 70)


def test_kernels_take_whole_blocks_of_channels() -> None:
    """FPN of 20 channels as of 32; what is whole already stays; groups divide what comes out."""
    plain = zoo_architecture("fpn_r18")
    assert with_filled_channels(plain) == plain
    work = Work.of(plain, (128, 96), 20)
    assert (work.filled_backbone, work.filled_pyramid) == (work.backbone, work.pyramid)

    narrow = plain.model_copy(update={"neck": FpnNeck(channels=20)})
    wide = plain.model_copy(update={"neck": FpnNeck(channels=32)})
    filled, whole = (Work.of(network, (128, 96), 20) for network in (narrow, wide))
    assert filled.filled_pyramid == whole.pyramid > filled.pyramid
    assert filled.head < whole.head

    assert isinstance(plain.backbone, ResNetBackbone)
    block = ResidualBlock(operation="bottleneck", channels=40, mid_channels=12, groups=6)
    stages = (*plain.backbone.stages[:3], (*plain.backbone.stages[3], block))
    backbone = plain.backbone.model_copy(update={"stages": stages, "stem_channels": 17})
    found = with_filled_channels(plain.model_copy(update={"backbone": backbone})).backbone
    assert isinstance(found, ResNetBackbone)
    last = found.stages[3][-1]
    assert (found.stem_channels, last.channels, last.mid_channels) == (32, 48, 48)


def test_other_networks_are_refused() -> None:
    with pytest.raises(DetSearchError, match="retinanet on resnet; count macs"):
        Work.of(zoo_architecture("retinanet_r50"), (128, 96), 20)
