"""What the papers' tables and figures are drawn from, by the config."""

from importlib import import_module
from typing import Any

import pytest

from pipeline.config.root import Config, load_config
from pipeline.config.supernet import SupernetConfig
from pipeline.driver.drawings import (
    DRAWINGS,
    blocks_of,
    drawing_inputs,
    drawing_settings,
    paper_of,
)
from pipeline.driver.layout import Layout
from pipeline.errors import DetSearchError
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import COMPONENTS

R18 = {"r18": {"zoo": "fpn_r18"}}
RETINA = {"retina": {"zoo": "retinanet_r50"}}


def config(**values: Any) -> Config:
    return load_config({"run": {"name": "r"}, "data": {}, **values})


def inputs(drawing: str, **values: Any) -> dict[str, str]:
    return drawing_inputs(drawing, Layout(config(**values)))


def test_every_drawing_has_a_function_and_every_function_is_a_target() -> None:
    papers = {"hit_detector", "joint_detnas"}
    drawn = {
        name for paper in papers for name in import_module(f"pipeline.drawings.{paper}").DRAWINGS
    }
    assert drawn == set(DRAWINGS)
    for name in DRAWINGS:
        assert name in import_module(f"pipeline.drawings.{paper_of(name)}").DRAWINGS
        assert drawing_settings(name, config())["drawing"] == name


@pytest.mark.parametrize("family", ["faster_rcnn", "retinanet"])
@pytest.mark.parametrize(("depth", "head_blocks"), [((2, 2, 4, 2), 2), ((1, 1, 1, 1), 1)])
def test_the_blocks_are_those_of_the_supernet(
    family: Any, depth: tuple[int, int, int, int], head_blocks: int
) -> None:
    shape = SupernetConfig(family=family, depth=depth, head_blocks=head_blocks)
    built = supernet_architecture(shape, 3, depth, dict.fromkeys(COMPONENTS, "conv_k3_d1"))
    assert blocks_of(shape) == {name: len(built.blocks(name)) for name in COMPONENTS}


def test_a_table_of_one_kind_takes_the_baselines_of_that_kind() -> None:
    both = {"baselines": R18 | RETINA}
    searched = "results/r/hit_detector/evaluation/manifest.json"
    two_stage = "results/r/baselines/r18/evaluation/manifest.json"
    one_stage = "results/r/baselines/retina/evaluation/manifest.json"
    assert inputs("hit_table2", **both) == {
        "inputs.detectors.r18": two_stage,
        "inputs.detectors.hit_detector": searched,
    }
    assert inputs("hit_table6", **both) == {"inputs.detectors.retina": one_stage}
    assert inputs("hit_table6", **both, supernet={"family": "retinanet"}) == {
        "inputs.detectors.retina": one_stage,
        "inputs.detectors.hit_detector": searched,
    }


def test_table_5_shows_detectors_of_others_parts() -> None:
    values = {
        "baselines": R18 | {"nas": {"zoo": "nas_fpn_r50"}},
        "ablations": {"mixed": {"both": {"backbone": "hit_detector", "neck": "nas"}}},
    }
    found = inputs("hit_table5", **values)
    assert [name.removeprefix("inputs.detectors.") for name in found] == [
        "r18",
        *(f"searched_{component}" for component in COMPONENTS),
        "both",
        "hit_detector",
    ]
    assert (
        found["inputs.detectors.both"] == "results/r/ablations/mixed/both/evaluation/manifest.json"
    )
    assert drawing_settings("hit_table5", config(**values))["settings"] == {
        "mixed": {"both": {"backbone": "hit_detector", "neck": "nas", "head": "r18"}}
    }


def test_joint_tables_show_baselines_in_their_standard_training() -> None:
    values = {"baselines": R18, "joint_tables": {"baselines": ["r18"]}}
    own = "results/r/joint_detnas/standard/r18/evaluation/manifest.json"
    for drawing in ("joint_table4", "joint_table6"):
        found = inputs(drawing, **values)
        assert found["inputs.detectors.r18"] == own
        assert set(found) - {"inputs.detectors.r18"} == set(inputs(drawing))


def test_table_4_ends_with_the_further_bases_and_their_students() -> None:
    first = inputs("joint_table4")
    both = inputs("joint_table4", further_bases={"r50": {"network": "fpn_r50_2fc"}})
    chain = "results/r/joint_detnas/bases/r50"
    assert list(both.items()) == [
        *first.items(),
        ("inputs.detectors.r50.base", f"{chain}/base/evaluation/manifest.json"),
        ("inputs.detectors.r50.base_longer", f"{chain}/base_longer/evaluation/manifest.json"),
        ("inputs.detectors.r50.student", f"{chain}/student/evaluation/manifest.json"),
    ]


def test_figure_5_has_the_searches_of_all_bases() -> None:
    first = inputs("joint_figure5")
    assert inputs("joint_figure5", further_bases={"r50": {"network": "fpn_r50_2fc"}}) == {
        **first,
        "inputs.further.r50": "results/r/joint_detnas/bases/r50/hill_climb/descent/manifest.json",
    }


@pytest.mark.parametrize(
    ("drawing", "values", "message"),
    [
        (
            "hit_table5",
            {"baselines": R18, "ablations": {"mixed": {"a": {"neck": "nas"}}}},
            "needs 'nas'",
        ),
        ("hit_table5", {"ablations": {"baseline": "r18"}}, "there are none"),
        (
            "hit_table5",
            {"baselines": R18 | RETINA, "ablations": {"baseline": "retina"}},
            "two-stage ones among `baselines` are r18",
        ),
        ("hit_table6", {"baselines": R18}, "add one to `baselines`"),
        (
            "hit_random",
            {"ablations": {"random": {"plain": "retinanet_r50"}}},
            "choose another plain network",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    drawing: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(DetSearchError, match=drawing) as refusal:
        inputs(drawing, **values)
    assert message in str(refusal.value)


def test_a_joint_table_of_a_baseline_that_is_not_there_is_refused() -> None:
    with pytest.raises(DetSearchError, match=r"`joint_tables\.baselines` names 'x'; .* are r18"):
        inputs("joint_table6", baselines=R18, joint_tables={"baselines": ["x"]})
