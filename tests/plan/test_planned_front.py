"""The plan of a front: with the pool it needs, and what that is grown from."""

import pytest
from small_plan import names
from workflow_project import ROOT

from pipeline.config.files import load_config_files
from pipeline.config.sections import changed
from pipeline.plan.images import count_images
from pipeline.plan.stages import planned_stages


def test_a_front_is_planned_where_it_is_asked_for_with_the_pool_it_needs() -> None:
    config = load_config_files([ROOT / "config/test.yaml"])
    settings = {"plan.front": True, "run.methods": ["hit_detector"]}
    alone, both = (names(changed(config, asked)) for asked in (settings, {"plan.front": True}))
    assert alone[9:] == [
        "train_student_base",
        "shrink_pool_0",
        "shrink_pool_1",
        "evaluate_subnets",
        "take_front",
    ]
    # a run of the front alone has the same stages, and Hit-Detector's not
    assert names(changed(config, {"run.methods": ["front"]})) == alone[9:]
    scratch = changed(config, settings | {"teacher_pool.grown_from_base": False})
    assert names(scratch)[9:] == alone[10:]
    assert both[9:] == [
        "train_student_base",
        "shrink_pool_0",
        "shrink_pool_1",
        "evaluate_candidate",
        "refine_detector of base_longer",
        "evaluate_subnets",
        "take_front",
    ]
    assert "take_front" not in names(config)
    twice = settings | {"front.population": 2 * config.front.population}
    first, second = (
        {
            stage.name: stage
            for stage in planned_stages(changed(config, asked), count_images(config))
        }
        for asked in (settings, twice)
    )
    for name in ("evaluate_subnets", "take_front"):
        assert second[name].compute.macs == pytest.approx(2 * first[name].compute.macs)
    front = config.front
    assert (first["evaluate_subnets"].waves, first["evaluate_subnets"].jobs) == (
        front.generations,
        front.shards,
    )
