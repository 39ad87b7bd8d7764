"""The comparison with random networks, against numbers worked out by hand and scipy's."""

from statistics import fmean, stdev, variance

import numpy as np
import pytest
from scipy import stats

from pipeline.report.random_study import (
    Study,
    Trained,
    compare,
    random_study,
    seed_deviation,
    verdict_sentence,
    welch_margin,
)


def trained(name: str, *aps: float, macs: int = 100) -> Trained:
    kind = "random" if name.startswith("random") else name
    return Trained.model_validate(
        {"name": name, "kind": kind, "macs": macs, "params": 7, "AP": aps, "AP50": aps}
    )


STUDY = Study(
    networks=(
        trained("searched", 0.50, 0.52),
        trained("random_0", 0.40, 0.42, macs=96),
        trained("random_1", 0.44, 0.44, macs=104),
        trained("plain", 0.51, 0.49),
    )
)


def test_by_hand() -> None:
    """Squares of a seed: 2 · 0.01² of three networks, on four degrees of freedom."""
    deviation, freedom = seed_deviation(STUDY.networks)
    assert (deviation, freedom) == (pytest.approx((6e-4 / 4) ** 0.5), 4)
    found = compare(STUDY, "random")
    # means 0.41 and 0.44: 0.425, with a variance of 0.00045 / 2 on one degree of freedom
    assert found.difference == pytest.approx(0.51 - 0.425)
    seeds, networks = 1.5e-4 / 2, 4.5e-4 / 2
    degrees = (seeds + networks) ** 2 / (seeds**2 / 4 + networks**2 / 1)
    margin = stats.t.ppf(0.975, degrees) * (seeds + networks) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.085 - margin, 0.085 + margin))
    assert found.relative(found.difference) == pytest.approx(0.2)
    # four standard deviations of a seed are passed, but two networks leave a wide interval
    assert found.verdict == ("better" if margin < 0.085 else "not separable")
    plain = compare(STUDY, "plain")
    assert plain.difference == pytest.approx(0.01)
    assert plain.high - plain.difference == pytest.approx(stats.t.ppf(0.975, 4) * 1.5e-4**0.5)
    assert plain.verdict == "not separable"


def test_the_interval_is_scipys() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(1, 1, 5).tolist(), rng.normal(0, 3, 8).tolist()
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    margin = welch_margin([(variance(each) / len(each), len(each) - 1) for each in (first, second)])
    difference = fmean(first) - fmean(second)
    assert (difference - margin, difference + margin) == pytest.approx(
        (interval.low, interval.high)
    )
    pooled = Study(
        networks=(
            trained("searched", 0.50, 0.52, 0.55),
            trained("plain", 0.51, 0.49, 0.47),
        )
    )
    interval = stats.ttest_ind((0.50, 0.52, 0.55), (0.51, 0.49, 0.47)).confidence_interval(0.95)
    found = compare(pooled, "plain")
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def clear(searched: float) -> Study:
    networks = [trained(f"random_{n}", 0.4 + n / 1000, 0.401 + n / 1000) for n in range(8)]
    plain = trained("plain", 0.4, 0.401)
    return Study(networks=(trained("searched", searched, searched + 0.001), *networks, plain))


@pytest.mark.parametrize(
    ("searched", "verdict"), [(0.45, "better"), (0.35, "worse"), (0.404, "not separable")]
)
def test_the_verdict_in_words(searched: float, verdict: str) -> None:
    study = clear(searched)
    assert compare(study, "random").verdict == compare(study, "random").verdict == verdict
    assert verdict in verdict_sentence(study)
    table, figure = random_study("hit_random", study)
    assert [row[-1] for row in table.rows][:2] == ["", verdict]
    assert "random_7" in figure.svg


def test_the_table_says_it_all() -> None:
    table, _ = random_study("hit_random", STUDY)
    keys = [column.key for column in table.columns]
    rows = {str(row[0]): dict(zip(keys, row, strict=True)) for row in table.rows}
    assert list(rows) == ["searched", "random", "plain"]
    random = rows["random"]
    assert (random["networks"], random["seeds"], random["macs"]) == (2, 2, 100)
    assert random["AP"] == pytest.approx(0.425) and random["AP_best"] == pytest.approx(0.44)
    assert random["AP_sd"] == pytest.approx(stdev([0.41, 0.44]))
    assert random["improvement"] == pytest.approx(0.2)
    assert rows["searched"]["AP_sd"] == pytest.approx(stdev([0.50, 0.52]))


def test_networks_that_find_nothing_are_not_separable() -> None:
    nothing = [trained(name, 0.0, 0.0) for name in ("searched", "random_0", "random_1", "plain")]
    study = Study(networks=tuple(nothing))
    assert compare(study, "random").verdict == "not separable"
    assert compare(study, "random").relative(0.0) is None
    assert "%, " not in verdict_sentence(study)
