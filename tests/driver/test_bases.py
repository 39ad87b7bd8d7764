"""Further bases of Joint-DetNAS: where their chains lie, and which networks they are."""

from pathlib import Path

import pytest

from pipeline.config.root import Config, load_config
from pipeline.driver.bases import base_network, base_of, further_chains, further_rows
from pipeline.driver.layout import Layout


@pytest.fixture
def config() -> Config:
    return load_config(
        {
            "run": {"name": "r"},
            "data": {},
            "base_detector": {"network": "fpn_r18", "width": 0.5, "head_width": 0.25},
            "further_bases": {
                "r50": {"network": "fpn_r50_2fc"},
                "x": {
                    "network": "fpn_x101_32x4d",
                    "width": 1.0,
                    "pretrained": {"checkpoint": "x.pth"},
                },
            },
        }
    )


def test_a_chain_of_its_own_for_each(config: Config) -> None:
    layout = Layout(config)
    joint = Path("results/r/joint_detnas")
    for part in ("hill_climb", "student", "random/student", "base"):
        assert base_of(layout, part) == joint / "base/detector"
    for part in ("bases/r50/hill_climb", "bases/r50/student", "bases/r50/base"):
        assert base_of(layout, part) == joint / "bases/r50/base/detector"
    assert further_chains(config) == {"r50": "bases/r50", "x": "bases/x"}
    assert further_rows(layout) == {
        f"{name}.{kind}": f"{joint}/bases/{name}/{kind}/evaluation/manifest.json"
        for name in ("r50", "x")
        for kind in ("base", "base_longer", "student")
    }
    assert further_rows(Layout(load_config({"run": {"name": "r"}, "data": {}}))) == {}


def test_a_width_that_is_not_stated_is_that_of_the_first(config: Config) -> None:
    first = {"zoo": "fpn_r18", "width": 0.5, "head_width": 0.25}
    assert base_network(config, "base") == first
    assert base_network(config, "bases/r50/base") == {**first, "zoo": "fpn_r50_2fc"}
    assert base_network(config, "bases/x/base") == {
        "zoo": "fpn_x101_32x4d",
        "width": 1.0,
        "head_width": 0.25,
    }


def test_weights_are_those_of_one_base_alone(config: Config) -> None:
    assert {place: each.checkpoint for place, each in config.pretrained.items()} == {
        "bases/x": "x.pth"
    }
