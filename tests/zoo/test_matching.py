"""Plain networks of a given cost."""

import pytest

from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.matching import matched
from pipeline.zoo.scaling import scaled

AT = {"classes": 10, "input_size": (64, 64)}


@pytest.mark.parametrize(
    ("name", "macs"),
    [("fpn_r18", 4e6), ("fpn_r18", 60e6), ("retinanet_r50", 30e6)],
)
def test_widths_meet_the_cost(name: str, macs: float) -> None:
    found = matched(zoo_architecture(name), round(macs), 20, tolerance=0.05, **AT)
    counted = detector_complexity(found, 20).total.macs
    assert counted == pytest.approx(macs, rel=0.05)
    assert found.provenance["macs"] == counted
    assert (found.classes, found.input_size) == (10, (64, 64))


def test_a_cost_of_equal_widths_is_met_by_equal_widths() -> None:
    half = scaled(zoo_architecture("fpn_r18"), width=0.5, head_width=0.5, **AT)
    macs = detector_complexity(half, 20).total.macs
    found = matched(zoo_architecture("fpn_r18"), macs, 20, tolerance=0.05, anchor_scale=4, **AT)
    assert (found.provenance["width"], found.provenance["head_width"]) == (0.5, 0.5)
    assert found.provenance["searched_macs"] == found.provenance["macs"] == macs
    assert found.rpn is not None and found.rpn.anchor_scale == 4


def test_what_no_width_meets_is_refused() -> None:
    with pytest.raises(DetSearchError, match="at no width has the plain network 1,000 MACs"):
        matched(zoo_architecture("fpn_r18"), 1000, 20, tolerance=0.05, **AT)
