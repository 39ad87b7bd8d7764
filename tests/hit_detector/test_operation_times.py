"""The table of measured operations: which there are, what a layer's candidates take, what is missing."""

from pathlib import Path
from typing import Any, Literal

import pytest

from pipeline.artifacts.files import write_json
from pipeline.config.evaluation import LatencyConfig
from pipeline.config.run import Computing
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import Placed, candidate_macs, candidate_places
from pipeline.errors import DetSearchError
from pipeline.hit_detector.operation_clock import measure_operations
from pipeline.hit_detector.operation_times import (
    FILE_NAME,
    OperationTimes,
    fill_candidate_milliseconds,
)
from pipeline.hit_detector.spaces import component_choices, search_architecture
from pipeline.training.computing import computed

PROPOSALS = 5
# one of many MACs, and one of few
OPERATIONS = {
    "backbone": ("conv_k5_d1", "sep_k3_d1"),
    "neck": ("sep_k5_d2", "ir_k3_d1_e3"),
    "head": ("ir_k3_d1_e1", "conv_k3_d1"),
}


def _shape(**changed: Any) -> SupernetConfig:
    return SupernetConfig.model_validate(
        {
            "input_size": (128, 64),
            "stem_channels": 8,
            "channels": (32, 32, 8, 8),
            "depth": (2, 1, 1, 1),
            "neck_channels": 6,
            "rpn_channels": 6,
            "head_blocks": 2,
            "head_fc_channels": 8,
            "roi_size": 3,
            **changed,
        }
    )


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [("onnxruntime", "float32"), ("torch", "float32"), ("torch", "bf16")],
)
def test_every_operation_is_timed_once_wherever_it_stands(
    runtime: Literal["onnxruntime", "torch"], precision: Literal["float32", "bf16"], tmp_path: Path
) -> None:
    supernet = search_architecture(_shape(), OPERATIONS)
    settings = LatencyConfig(runtime=runtime, images=2, rounds=4)
    with computed(Computing(precision=precision)):
        times = measure_operations(supernet, PROPOSALS, settings, tmp_path)
    by_place = {each.place: each for each in times.operations}
    # the stem and the first block of a stage halve the image: (channels, stride, map) by hand
    backbone = [
        (8, 32, 2, (1, 64, 32)),
        (32, 32, 1, (1, 32, 16)),
        (32, 32, 2, (1, 32, 16)),
        (32, 8, 2, (1, 16, 8)),
        (8, 8, 2, (1, 8, 4)),
    ]
    # laterals before the top-down path have the stages' widths, those after it the neck's
    neck = [
        (width, 6, 1, (1, 32 // 2**level, 16 // 2**level))
        for level, of_stage in enumerate((32, 32, 8, 8))
        for width in (of_stage, 6)
    ]
    head = [(6, 6, 1, (PROPOSALS, 3, 3))]
    expected = {
        Placed(name, *place)
        for component, places in (("backbone", backbone), ("neck", neck), ("head", head))
        for name in OPERATIONS[component]
        for place in places
    }
    assert len(times.operations) == len(by_place) and set(by_place) == expected
    assert (times.runtime, times.rounds) == (runtime, 8)
    for each in times.operations:
        assert each.runs == 8
        assert 0 < each.least <= each.lower_quartile <= each.median <= each.upper_quartile
    place = backbone[1]
    # 25 x 32 x 32 MACs for a pixel, and 9 x 32 + 32 x 32
    dear, cheap = (by_place[Placed(name, *place)] for name in OPERATIONS["backbone"])
    assert (dear.macs, cheap.macs) == (25 * 32 * 32 * 512, (9 * 32 + 32 * 32) * 512)

    write_json(tmp_path / FILE_NAME, times.model_dump(mode="json"))
    assert OperationTimes.load(tmp_path) == times


def _planted(places: dict[str, list[list[Placed]]]) -> OperationTimes:
    """A table in which fewer MACs take more time: one second over the number of MACs."""
    operations = [
        {
            **place._asdict(),
            "macs": macs,
            **dict.fromkeys(("median", "lower_quartile", "upper_quartile", "least"), 1000 / macs),
            "runs": 1,
        }
        for number, place in enumerate(
            sorted({place for layer in places.values() for each in layer for place in each})
        )
        for macs in (number + 1,)
    ]
    head = {"runtime": "torch", "device": "a planted one", "threads": 1, "rounds": 1, "warm_up": 1}
    return OperationTimes.model_validate(
        {**head, "seed": 0, "packages": {}, "operations": operations}
    )


def test_a_candidate_takes_what_its_places_take_on_all_levels() -> None:
    shape = _shape(family="retinanet")
    supernet = search_architecture(shape, OPERATIONS)
    places = candidate_places(supernet, PROPOSALS)
    times = _planted(places)
    model = build_detector(supernet, Surroundings())
    fill_candidate_milliseconds(model, supernet, PROPOSALS, times)
    known = {each.place: each.median for each in times.operations}
    layers = component_choices(model)
    # a tower's layer runs on five levels, of 16 x 8 pixels to 1 x 1
    levels = [(1, 16, 8), (1, 8, 4), (1, 4, 2), (1, 2, 1), (1, 1, 1)]
    for layer in layers["head"].values():
        by_hand = [
            sum(known[Placed(name, 6, 6, 1, level)] for level in levels) for name in layer.names
        ]
        assert layer.milliseconds.tolist() == pytest.approx(by_hand)
    first = layers["backbone"]["stage1.block1"]
    assert first.milliseconds.tolist() == pytest.approx(
        [known[Placed(name, 8, 32, 2, (1, 64, 32))] for name in first.names]
    )
    assert set(candidate_macs(supernet, PROPOSALS)) == set(places)


def test_what_was_not_measured_is_named() -> None:
    supernet = search_architecture(_shape(), OPERATIONS)
    times = _planted(candidate_places(supernet, PROPOSALS))
    other = search_architecture(_shape(head_blocks=1), OPERATIONS)
    model = build_detector(other, Surroundings())
    fill_candidate_milliseconds(model, other, PROPOSALS, times)
    with pytest.raises(
        DetSearchError,
        match=r"operation_times\.json has no time of conv_k3_d1, 6 to 6 channels, stride 1, on 9 x 3 x 3",
    ):
        fill_candidate_milliseconds(model, other, 9, times)
