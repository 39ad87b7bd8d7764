"""Networks of the zoo at another scale."""

import pytest

from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import RetinaHead
from pipeline.zoo.architectures import NAMES, zoo_architecture
from pipeline.zoo.scaling import scaled


def test_at_the_papers_scale_nothing_changes() -> None:
    for name in NAMES:
        network = zoo_architecture(name)
        same = scaled(
            network, width=1, head_width=1, classes=network.classes, input_size=network.input_size
        )
        assert same == network, name


@pytest.mark.parametrize(
    "name", [name for name in NAMES if zoo_architecture(name).backbone.type != "blocks"]
)
def test_half_the_channels_cost_about_a_quarter(name: str) -> None:
    """Of every network that is not mostly depthwise: what lies between halved channels is a quarter."""
    network = zoo_architecture(name)
    half = scaled(network, width=0.5, head_width=0.5, classes=80, input_size=(800, 1216))
    whole = detector_complexity(network, 100).components["backbone"]
    assert detector_complexity(half, 100).components["backbone"].params == pytest.approx(
        whole.params / 4, rel=0.06
    )


def test_classes_size_and_anchors_are_the_runs() -> None:
    network = scaled(
        zoo_architecture("fpn_r18"),
        width=0.25,
        head_width=0.125,
        classes=3,
        input_size=(96, 128),
        anchor_scale=4,
    )
    assert (network.classes, network.input_size) == (3, (96, 128))
    assert network.rpn is not None
    assert (network.rpn.anchor_scale, network.rpn.channels) == (4, 32)
    assert network.backbone.out_channels == (16, 32, 64, 128)
    assert network.neck.channels == 32


def test_anchors_of_a_one_stage_head_are_the_runs_where_they_are_given() -> None:
    scales = []
    for given in (2, None):
        network = scaled(
            zoo_architecture("retinanet_r50"),
            width=0.125,
            head_width=0.125,
            classes=3,
            input_size=(64, 64),
            anchor_scale=given,
        )
        assert isinstance(network.head, RetinaHead)
        scales.append(network.head.anchor_scale)
    assert scales == [2, 4]


@pytest.mark.parametrize(
    ("name", "width", "message"),
    [
        ("fpn_r18", 0.3, r"backbone\.stem_channels: 64 channels times 0\.3 are 19\.2, not whole"),
        ("fpn_x101_32x4d", 0.125, "is not a multiple of 32 groups"),
    ],
)
def test_channels_that_would_not_be_whole_are_refused(name, width, message) -> None:
    with pytest.raises(DetSearchError, match=message):
        scaled(zoo_architecture(name), width=width, head_width=1, classes=3, input_size=(64, 64))
