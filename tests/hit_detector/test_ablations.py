"""Detectors made from others for the ablation studies: what is replaced, and what is not."""

import pytest

from pipeline.config.supernet import SupernetConfig
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.hit_detector.ablations import (
    best_first,
    combined,
    common_space,
    replacement_layers,
    with_replaced,
    with_searched,
)
from pipeline.hit_detector.spaces import Operations, supernet_architecture
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.scaling import scaled

SHAPE = SupernetConfig(
    input_size=(64, 64),
    channels=(8, 8, 16, 16),
    depth=(1, 1, 2, 1),
    neck_channels=16,
    rpn_channels=16,
    head_blocks=2,
    head_fc_channels=32,
    roi_size=3,
)


def uniform(operation: str = "conv_k3_d1", family: str = "faster_rcnn") -> Architecture:
    shape = SHAPE.model_copy(update={"family": family})
    return supernet_architecture(shape, 3, SHAPE.depth, dict.fromkeys(COMPONENTS, operation))


def baseline(zoo: str = "fpn_r18") -> Architecture:
    return scaled(
        zoo_architecture(zoo), width=0.125, head_width=0.125, classes=3, input_size=(64, 64)
    )


@pytest.mark.parametrize(
    ("family", "zoo"), [("faster_rcnn", "fpn_r18"), ("retinanet", "retinanet_r50")]
)
@pytest.mark.parametrize("component", COMPONENTS)
def test_one_part_is_the_searched_one_and_the_others_the_baselines(
    component: str, family: str, zoo: str
) -> None:
    searched = uniform("ir_k3_d1_e3", family)
    mixed = with_searched(baseline(zoo), searched, component)
    for part in (*COMPONENTS, "rpn"):
        origin = searched if part == component else baseline(zoo)
        assert getattr(mixed, part) == getattr(origin, part), part
    # and it can be built: the cost model runs the network
    assert detector_complexity(mixed, 10).total.params > 0


def test_parts_searched_apart_are_combined() -> None:
    """Each component is that of its own search; what no search decides is the same in all."""
    kinds: dict[str, Operations] = {
        "backbone": "ir_k3_d1_e3",
        "neck": "sep_k5_d1",
        "head": "conv_k5_d1",
    }
    held: dict[str, Operations] = dict.fromkeys(kinds, "conv_k3_d1")
    parts = {
        name: supernet_architecture(SHAPE, 3, SHAPE.depth, {**held, name: kind})
        for name, kind in kinds.items()
    }
    found = combined(parts)
    expected = supernet_architecture(SHAPE, 3, SHAPE.depth, kinds)
    assert found.model_copy(update={"provenance": {}}) == expected
    assert found.provenance == {"searched_apart": list(COMPONENTS)}


def test_others_parts_are_put_together() -> None:
    """NAS-FPN's neck on a searched backbone, before a baseline's head and RPN."""
    parts = {"backbone": uniform(), "neck": baseline("nas_fpn_r50"), "head": baseline("fpn_r18")}
    sources = {"backbone": "hit_detector", "neck": "nas_fpn", "head": "r18"}
    found = combined(parts, sources)
    assert (found.backbone, found.neck) == (parts["backbone"].backbone, parts["neck"].neck)
    assert (found.head, found.rpn) == (parts["head"].head, parts["head"].rpn)
    assert (found.family, found.provenance) == ("hit_detector", {"parts": sources})
    assert detector_complexity(found, 10).total.params > 0


def test_parts_that_do_not_fit_are_refused() -> None:
    one_stage = baseline("retinanet_r50")
    with pytest.raises(DetSearchError, match="one-stage and of two-stage"):
        combined({"backbone": uniform(), "neck": one_stage, "head": one_stage})
    ssd = zoo_architecture("ssd_vgg16")
    with pytest.raises(DetSearchError, match=r"do not go together: .*ssd go together only"):
        combined({"backbone": one_stage, "neck": one_stage, "head": ssd})


def test_a_baseline_of_the_other_kind_is_refused() -> None:
    with pytest.raises(DetSearchError, match="one-stage or two-stage"):
        with_searched(baseline("retinanet_r50"), uniform(), "backbone")


def test_one_operation_is_replaced_and_no_other() -> None:
    base = uniform()
    changed = with_replaced(base, "backbone", "stage3.block2", "sep_k5_d1")
    for component in COMPONENTS:
        for name, block in changed.blocks(component).items():
            there = (component, name) == ("backbone", "stage3.block2")
            assert block.operation == ("sep_k5_d1" if there else "conv_k3_d1")
    with pytest.raises(ValueError, match="no layer 'stage9"):
        with_replaced(base, "backbone", "stage9.block1", "sep_k5_d1")


def test_random_layers_differ_and_depend_on_the_seed_alone() -> None:
    base = uniform()
    drawn = replacement_layers(base, "neck", 6, seed=3)
    assert drawn == replacement_layers(base, "neck", 6, seed=3)
    assert len(set(drawn)) == 6 <= len(base.blocks("neck"))
    assert {tuple(replacement_layers(base, "neck", 6, seed)) for seed in range(9)} > {tuple(drawn)}
    assert replacement_layers(base, "head", 6, seed=3) == ["block1", "block2"], "all it has"


def space(kept: list[str], removed: list[str]) -> dict:
    return {"kept": kept, "removed": [{"operation": name} for name in removed]}


def test_the_common_space_holds_what_is_best_on_average() -> None:
    """Places by hand: a 0+0+2, b 1+3+1, c 2+1+3, d 3+2+0 over three components."""
    spaces = {
        "backbone": space(["a", "b"], ["d", "c"]),
        "neck": space(["a", "c"], ["b", "d"]),
        "head": space(["d", "b"], ["c", "a"]),
    }
    assert best_first(spaces["backbone"]) == ["a", "b", "c", "d"]
    common = common_space(spaces, keep=2)
    assert common["mean_place"] == pytest.approx({"a": 2 / 3, "b": 5 / 3, "c": 2, "d": 5 / 3})
    assert common["kept"][0] == "a"
    assert common["kept"][1] in ("b", "d")
    assert common["scores"]["a"] > common["scores"]["c"]


def test_an_operation_that_one_component_alone_has_is_not_best_in_common() -> None:
    """x, third of the backbone's and in no other space, is behind a, which is second in all three."""
    spaces = {
        "backbone": space(["b", "a", "x"], []),
        "neck": space(["c", "a"], []),
        "head": space(["c", "a"], []),
    }
    common = common_space(spaces, keep=2)
    # c: 4 + 0 + 0, a: 1 + 1 + 1, b: 0 + 4 + 4, x: 2 + 4 + 4
    places = {"a": 1.0, "c": 4 / 3, "b": 8 / 3, "x": 10 / 3}
    assert common["mean_place"] == pytest.approx(places)
    assert common["kept"] == ["a", "c"]
