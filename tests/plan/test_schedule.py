"""Scheduling and the search by generations, against times worked out by hand."""

import pytest

from pipeline.plan.schedule import Job, schedule, simulate_search


def test_jobs_wait_for_their_inputs_and_for_gpus() -> None:
    """Two GPUs: b and c run side by side after a; d, for both GPUs, waits for both of them."""
    jobs = [
        Job("a", 3, 2),
        Job("b", 2, 1, ("a",)),
        Job("c", 4, 1, ("a",)),
        Job("d", 1, 2, ("b",)),
        Job("e", 1, 1, ("b",)),
    ]
    ends = schedule(jobs, 2)
    # e fits beside c while d waits for the second GPU
    assert ends == {"a": 3, "b": 5, "e": 6, "c": 7, "d": 8}


def test_what_can_never_run_is_refused() -> None:
    with pytest.raises(ValueError, match="a takes 2 GPUs, but there are 1"):
        schedule([Job("a", 1, 2)], 1)
    with pytest.raises(ValueError, match="waits for b: no such job"):
        schedule([Job("a", 1, 1, ("b",))], 1)
    with pytest.raises(ValueError, match="waits for itself"):
        schedule([Job("a", 1, 1, ("a",))], 1)


def test_a_search_of_equal_candidates_loses_what_does_not_divide() -> None:
    """Six candidates of 10 s and 2 s to start on four GPUs, two generations, 1 s between them.

    Two rounds of 12 s a generation: 24 s, and 6 · 12 of 4 · 24 GPU-seconds are used.
    """
    found = simulate_search(
        [10.0], gpus=4, gpus_each=1, generations=2, candidates=6, overhead=2, between=1
    )
    assert found.seconds == 2 * (24 + 1)
    assert found.busy == pytest.approx(2 * 72 / (4 * 50))
    assert found.barrier == pytest.approx(2 * (96 - 72) / (4 * 50))
    assert found.idle == pytest.approx(2 * 4 / (4 * 50))


def test_more_gpus_than_a_generation_has_candidates_stand_idle() -> None:
    """Three candidates on two GPUs each leave two of eight GPUs without work."""
    found = simulate_search([10.0], gpus=8, gpus_each=2, generations=1, candidates=3)
    assert (found.seconds, found.busy, found.barrier) == (10, 0.75, 0)
    assert found.idle == pytest.approx(0.25)


def test_a_generation_ends_with_its_slowest_candidate() -> None:
    """Of durations 1 and 3, each of 1,000 generations of two ends after 3 s unless both are 1: 2.5 s."""
    found = simulate_search([1.0, 3.0], gpus=2, gpus_each=1, generations=1000, candidates=2, seed=1)
    assert found.seconds / 1000 == pytest.approx(2.5, abs=0.1)
    assert found.busy == pytest.approx(2 / 2.5, abs=0.03)
    assert found.busy + found.barrier + found.idle == pytest.approx(1)
