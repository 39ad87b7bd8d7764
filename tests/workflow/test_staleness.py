"""After a change exactly the stages that use what was changed are stale."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

AFTER_SEARCH = {
    "derive": 1,
    "pretrain_backbone": 1,
    "train_detector": 1,
    "evaluate_hit_detector": 1,
    "draw_report": 1,
}
AFTER_TRAINING = {"evaluate_hit_detector": 1, "draw_report": 1}
SCREENING = {"screen": 3, "pretrain_search_supernet": 1, "search": 1, **AFTER_SEARCH}

CONFIG_CHANGES = [
    ("search:\n", "search:\n  cost_weight: 0.5\n", {"search": 1, **AFTER_SEARCH}),
    ("screening:\n", "screening:\n  mu: 0.2\n", SCREENING),
    ("training:\n", "training:\n  workers: 1\n", {"train_detector": 1, **AFTER_TRAINING}),
    ("report:\n  example_images: 2", "report:\n  example_images: 3", {"draw_report": 1}),
    ("run:\n", "run:\n  checkpoint_seconds: 5\n", {}),
    ("search:\n", "# a comment\nsearch:   # and another\n", {}),
    ("screening:\n", "screening:\n  mu: 0.1\n", {}),
]


def test_right_after_a_run_nothing_is_stale(finished):
    assert finished.stale() == {}


@pytest.mark.parametrize(("old", "new", "expected"), CONFIG_CHANGES)
def test_a_changed_value_makes_its_stages_stale(project, old, new, expected):
    project.edit("config/test.yaml", f"\n{old}", f"\n{new}")
    assert project.stale() == expected


CODE_CHANGES = [
    ("pipeline/hit_detector/search.py", "class TrinitySearch", "# why\nclass TrinitySearch", {}),
    (
        "pipeline/hit_detector/search.py",
        'record["expected_gmacs"] = ',
        'record["gmacs"] = ',
        {"search": 1, **AFTER_SEARCH},
    ),
    (
        "pipeline/hit_detector/screening.py",
        'record["candidates"] = ',
        'record["living"] = ',
        SCREENING,
    ),
    (
        "pipeline/detection/evaluation.py",
        "images, len(dataset)",
        "len(dataset), images",
        {"train_detector": 1, **AFTER_TRAINING},
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "expected"), CODE_CHANGES)
def test_changed_code_makes_the_stages_stale_that_import_it(project, name, old, new, expected):
    project.edit(name, old, new)
    assert project.stale() == expected


def test_with_track_code_off_changed_code_makes_nothing_stale(project):
    project.edit("pipeline/hit_detector/search.py", 'record["expected_gmacs"] = ', 'record["g"] = ')
    project.edit("config/test.yaml", "\nrun:\n", "\nrun:\n  track_code: false\n")
    assert project.stale() == {}
    project.edit("config/test.yaml", "\nsearch:\n", "\nsearch:\n  cost_weight: 0.5\n")
    assert project.stale() == {"search": 1, **AFTER_SEARCH}
