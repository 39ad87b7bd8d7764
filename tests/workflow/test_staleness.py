"""After a change exactly the stages that use what was changed are stale: docs/reference/staleness.md."""

from collections.abc import Callable

import pytest
from staleness_rows import CONFIG, PAGE, ROWS, SEARCH, Row, page_with_table

FINISHED = (pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow"))


def finished_run(function: Callable) -> Callable:
    """Mark a test that dry-runs the finished run of the smallest config."""
    for mark in FINISHED:
        function = mark(function)
    return function


def test_the_page_holds_the_rows() -> None:
    text = PAGE.read_text()
    assert page_with_table(text) == text, "run tests/workflow/staleness_rows.py"


@finished_run
def test_right_after_a_run_nothing_is_stale(finished):
    assert finished.stale() == {}


@finished_run
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.change)
def test_a_change_makes_stale_what_its_row_says(project, row: Row):
    project.edit(row.file, row.old, row.new)
    assert project.stale() == row.stale


@finished_run
def test_with_track_code_off_changed_code_makes_nothing_stale(project):
    project.edit("pipeline/hit_detector/search.py", 'record["expected_gmacs"] = ', 'record["g"] = ')
    project.edit(CONFIG, "\nrun:\n", "\nrun:\n  track_code: false\n")
    assert project.stale() == {}
    project.edit(CONFIG, "\nsearch:\n", "\nsearch:\n  cost_weight: 0.5\n")
    assert project.stale() == SEARCH
