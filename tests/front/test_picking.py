"""Which detector of a made-up front is picked, and what is said of it."""

import re
from pathlib import Path

import pytest
from test_front_table import front, row

from pipeline.errors import DetSearchError
from pipeline.front.picking import Constraints, pick
from pipeline.pick import main

FRONT = front(
    [
        row("s0", 0.20, 0.2, 5.0, (0.20, 0.22, 0.18, 0.20)),
        row("s1", 0.30, 0.3, 10.0, (0.30, 0.32, 0.28, 0.30)),
        row("s2", 0.40, 0.4, 20.0, (0.39, 0.41, 0.37, 0.43)),
        row("base", 0.35, 0.3, 15.0, (0.35, 0.35, 0.35, 0.35)),
        row("upgrade", 0.90, 0.9, None),
    ]
)


@pytest.mark.parametrize(
    ("constraints", "best", "second"),
    [
        (Constraints(max_ms=20.0), "s2", "base"),
        (Constraints(max_ms=10.0), "s1", "s0"),
        (Constraints(max_ms=9.9), "s0", None),
        # the cheapest that is good enough; one that was not timed costs more than any
        (Constraints(min_ap=0.25), "s1", "base"),
        (Constraints(min_ap=0.5), "upgrade", None),
        (Constraints(min_ap=0.25, max_ms=16.0), "base", "s1"),
        (Constraints(max_gmacs=1.0, max_params=1.0), "upgrade", "s2"),
    ],
)
def test_the_best_under_constraints(
    constraints: Constraints, best: str, second: str | None
) -> None:
    picked = pick(FRONT, constraints)
    assert picked.best.name == best
    assert (picked.runner_up.name if picked.runner_up else None) == second


def test_the_distance_is_told_in_standard_errors() -> None:
    # differences of s2 and base without a part: 0.04, 0.06, 0.02, 0.08 around 0.05
    noise = (3 / 4 * (0.01**2 + 0.01**2 + 0.03**2 + 0.03**2)) ** 0.5
    picked = pick(FRONT, Constraints(max_ms=20.0))
    assert picked.noise == pytest.approx(noise) and picked.difference == pytest.approx(0.05)
    assert f"{0.05 / noise:.1f} standard errors" in str(picked)
    assert "no more than the noise" in str(picked)


def test_the_cheapest_within_the_noise_is_named_with_what_to_give() -> None:
    # against s2: base 0.05 ± 0.039, which is noise, but an eighth of its AP; s3 0.015 ± 0.013
    assert pick(FRONT, Constraints(max_ms=20.0)).cheaper is None
    near = row("s3", 0.385, 0.4, 16.0, (0.385, 0.395, 0.355, 0.405))
    # an equal one is certain, where its difference has no noise
    more = front([*FRONT.rows, near, row("s4", 0.39, 0.4, 14.0, (0.38, 0.40, 0.36, 0.42))])
    picked = pick(more, Constraints(max_ms=20.0))
    assert picked.cheaper and picked.cheaper.name == "s3"
    hint = picked.hint()
    assert hint and "s3, 16 ms, AP 0.385 on val (--max-ms 16.2)" in hint
    again = pick(more, Constraints(max_ms=14.9))
    assert again.best.name == "s4" and again.cheaper is None and again.hint() is None
    assert pick(FRONT, Constraints(max_ms=9.9)).hint() is None, "nothing is cheaper"


def test_what_nothing_meets_names_the_nearest() -> None:
    with pytest.raises(
        DetSearchError,
        match=r"nothing meets this; s0 comes nearest, with 5 ms and AP 0\.\d+ on val$",
    ):
        pick(FRONT, Constraints(max_ms=4.0))
    # s2 misses AP 0.44 by a tenth, s0's 5 ms are in time but half as good
    with pytest.raises(DetSearchError, match=r"s2 comes nearest, with AP 0\.400 on val$"):
        pick(FRONT, Constraints(min_ap=0.44, max_ms=30.0))
    untimed = FRONT.model_copy(update={"latencies": None})
    with pytest.raises(DetSearchError, match="no latency was measured"):
        pick(untimed, Constraints(max_ms=4.0))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ((), "has no front: run `snakemake front` first"),
        (("--max-ms", "0"), "0 is no number above 0"),
        (("--max-gmacs", "nan"), "nan is no number above 0"),
        (("--min-ap", "30"), "30 is no AP"),
    ],
)
def test_what_a_person_can_type_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path), *line])
    assert re.search(re.escape(message), f"{end.value} {capsys.readouterr().err}")
