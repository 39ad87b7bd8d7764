"""Times of stages that run side by side."""

import pytest
from made_up_metrics import manifest

from pipeline.report.stage_times import by_part, time_passed


def ended(minute: int, seconds: float):
    return manifest(seconds).model_copy(update={"created": f"2026-01-31T12:{minute:02d}:00+00:00"})


def test_time_passed_counts_what_ran_side_by_side_once():
    # 12:00 to 12:02 and 12:01 to 12:03 are three minutes, an idle one, and another one within two
    stages = [ended(2, 120), ended(3, 120), ended(6, 120), ended(6, 60)]
    assert time_passed(stages) == pytest.approx(300)
    assert time_passed(reversed(stages)) == pytest.approx(300)


def test_a_stage_belongs_to_one_part_and_none_is_lost():
    folders = (
        *("data/detection", "hit_detector/screening/neck", "hit_detector/search", "hit_detector"),
        *("joint_detnas/base_longer/detector", "joint_detnas/student/evaluation", "figures/x"),
        *("latency", "baselines/r18/pretraining", "joint_detnas/upgrade/detector", "elsewhere"),
    )
    stages = {folder: manifest(float(number)) for number, folder in enumerate(folders)}
    parts = by_part(stages)
    assert {part: [stage.wall_seconds for stage in found] for part, found in parts.items()} == {
        "data": [0],
        "Hit-Detector: screening": [1],
        "Hit-Detector: supernet and search": [2],
        "Hit-Detector: searched detector": [3],
        "Joint-DetNAS: base detector": [4],
        "Joint-DetNAS: student": [5],
        "Joint-DetNAS: upgraded student": [9],
        "baselines, trained alone": [8],
        "times of the detectors": [7],
        "tables and figures": [6],
        "other": [10],
    }
