"""Finalists: networks by the search's probabilities that cost no more, and the best of their trainings."""

from collections import Counter
from itertools import product
from typing import Any

import pytest

from pipeline.artifacts.files import write_json
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.hit_detector.budget import path_space
from pipeline.hit_detector.finalists import (
    CHEAPEST,
    best_finalist,
    dense_loss,
    draw_finalist,
    read_finalist,
)
from pipeline.hit_detector.search import derive
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS, Architecture

OPERATIONS = {
    "backbone": ("ir_k3_d1_e6", "sep_k3_d1", "conv_k3_d1"),
    "neck": ("conv_k3_d1", "sep_k5_d1"),
    "head": ("ir_k3_d1_e1", "sep_k3_d1"),
}
SHAPE = SupernetConfig(
    input_size=(64, 64),
    proposals=10,
    channels=(8, 8, 12, 12),
    depth=(1, 1, 1, 1),
    neck_channels=8,
    rpn_channels=8,
    head_blocks=1,
    head_fc_channels=16,
    roi_size=3,
)
SUPERNET = supernet_architecture(SHAPE, 3, SHAPE.depth, OPERATIONS)


def scores(certain: bool) -> dict[str, Any]:
    """The first operation has the highest probability, a little or by far."""
    components = {}
    for component in COMPONENTS:
        count = len(OPERATIONS[component])
        rest = (0.02 if certain else 0.6) / (count - 1)
        probabilities = [1 - rest * (count - 1)] + [rest] * (count - 1)
        components[component] = {
            "operations": list(OPERATIONS[component]),
            "layers": [
                {"name": name, "probabilities": probabilities}
                for name in SUPERNET.blocks(component)
            ],
        }
    return {"format": 1, "components": components}


def operations(network: Architecture) -> list[str]:
    return [str(b.operation) for part in COMPONENTS for b in network.blocks(part).values()]


def macs(network: Architecture) -> int:
    return detector_complexity(network, SHAPE.proposals).total.macs


def test_the_first_is_the_derived_network_and_others_cost_about_as_much():
    space, given = path_space(SUPERNET, SHAPE.proposals), scores(certain=False)
    derived = derive(SUPERNET, given)
    drawn = [draw_finalist(SUPERNET, given, space, seed=0, number=k) for k in range(8)]
    assert drawn[0] == derived
    for network in drawn[1:]:
        assert CHEAPEST * macs(derived) <= macs(network) <= macs(derived)
        assert not network.is_supernet
    assert len({tuple(operations(network)) for network in drawn}) == 8
    assert drawn[3] == draw_finalist(SUPERNET, given, space, seed=0, number=3)
    assert drawn[3] != draw_finalist(SUPERNET, given, space, seed=1, number=3)
    # the margin of what was drawn, not of the winner
    for part, name in product(["neck"], SUPERNET.blocks("neck")):
        first = drawn[3].blocks(part)[name].operation == OPERATIONS[part][0]
        margin = drawn[3].provenance["margins"][part][name]
        assert margin == pytest.approx(-0.2 if first else 0.2)


def test_no_finalist_is_another_again_where_the_search_is_almost_certain(caplog):
    space, given = path_space(SUPERNET, SHAPE.proposals), scores(certain=True)
    for layer in given["components"]["backbone"]["layers"]:
        layer["probabilities"] = [1.0, 0.0, 0.0]
    for layer in given["components"]["neck"]["layers"]:
        layer["probabilities"] = [1.0, 0.0]
    # so only the head differs, whose operations cost about the same
    drawn = [draw_finalist(SUPERNET, given, space, seed=0, number=k) for k in range(2)]
    assert operations(drawn[0]) != operations(drawn[1])
    assert not caplog.records
    # with one block in the head there are no more networks than these two
    third = draw_finalist(SUPERNET, given, space, seed=0, number=2)
    assert operations(third) in [operations(network) for network in drawn]
    assert "finalist 2 is number" in caplog.text and "no draw differs" in caplog.text


def test_a_budget_holds_for_all():
    space = path_space(SUPERNET, SHAPE.proposals)
    cheapest = space.cost(tuple(int(costs.argmin()) for costs in space.macs))
    derived = macs(derive(SUPERNET, scores(certain=False)))
    budget = (cheapest + derived) / 2e9
    limited = path_space(SUPERNET, SHAPE.proposals, budget)
    for number in range(4):
        network = draw_finalist(SUPERNET, scores(certain=False), limited, seed=0, number=number)
        assert macs(network) <= budget * 1e9
    # where nearly all draws are dearer, cheaper operations are taken until one fits
    tight = path_space(SUPERNET, SHAPE.proposals, cheapest * 1.02 / 1e9)
    network = draw_finalist(SUPERNET, scores(certain=True), tight, seed=0, number=1)
    assert macs(network) <= cheapest * 1.02


def test_operations_are_drawn_by_their_probabilities():
    space, given = path_space(SUPERNET, SHAPE.proposals, 1.0), scores(certain=True)
    counts = Counter(
        operation
        for number in range(1, 40)
        for operation in operations(draw_finalist(SUPERNET, given, space, seed=0, number=number))[
            4:12
        ]
    )
    # 98 % of 312 draws; a budget that everything keeps, and hardly anything comes near: none is mended
    assert counts["conv_k3_d1"] / sum(counts.values()) == pytest.approx(0.98, abs=0.03)


def test_the_best_is_taken_by_its_last_validation_or_its_late_loss_over_all_anchors(tmp_path):
    network = derive(SUPERNET, scores(certain=True))
    given = {0: ([0.1, 0.3], [0.9, 0.2, 0.5, 0.4]), 1: ([0.4, 0.2], [0.3, 0.4, 0.3, 0.2])}
    given[2] = ([0.2, 0.3], [0.1, 0.1, 0.4, 0.9])
    for number, (values, losses) in given.items():
        # 20 steps each, but for the last
        records = [
            {"iteration": iteration, "loss": 2.0, "loss_rpn_cls": loss, "loss_cls": 0.1 * number}
            for iteration, loss in zip((20, 40, 60, 70), losses, strict=True)
        ]
        records += [{"iteration": 70, "AP": value} for value in values]
        write_json(tmp_path / str(number) / "history.json", {"format": 1, "records": records})
        marked = network.model_copy(update={"provenance": {"number": number}})
        write_json(tmp_path / str(number) / ARCHITECTURE, marked.model_dump(mode="json"))
    found = [read_finalist(number, tmp_path / str(number)) for number in (2, 0, 1)]
    best, record = best_finalist(found, "ap")
    # of equal ones the lower number
    assert record["chosen"] == 0 and best.provenance["number"] == 0
    assert {each["number"]: each["AP"] for each in record["finalists"]} == {0: 0.3, 1: 0.2, 2: 0.3}
    # steps 21 to 70, as the record at 40 ends after the 35th: two of 20 steps, one of 10
    late = {each["number"]: each["dense_loss"] for each in record["finalists"]}
    assert late == pytest.approx({0: 0.36, 1: 0.32, 2: 0.38})
    best, record = best_finalist(found, "dense_loss")
    assert record["chosen"] == 1 and best.provenance["number"] == 1
    # a one-stage detector has no RPN
    assert dense_loss([{"iteration": 8, "loss_cls": 0.7, "loss_bbox": 2.0}]) == pytest.approx(0.7)

    write_json(tmp_path / "1/history.json", {"format": 1, "records": [{"AP": None}]})
    with pytest.raises(DetSearchError, match="no AP"):
        read_finalist(1, tmp_path / "1")
