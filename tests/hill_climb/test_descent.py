"""Who descends from whom, and what each change brought: a search of six candidates, by hand."""

import csv
from pathlib import Path

import pytest
from made_up_search import made_up_search

from pipeline.artifacts.errors import ArtifactError
from pipeline.errors import DetSearchError
from pipeline.hill_climb.descent import (
    TEACHER,
    Descent,
    beneficial_share,
    change_of,
    total_gain,
)
from pipeline.report.joint_search import gain_study


@pytest.fixture(scope="module")
def descent() -> Descent:
    return Descent(made_up_search())


def _places(found: list) -> list[tuple[int, int]]:
    return [(one.proposal.name.generation, one.proposal.name.candidate) for one in found]


def test_the_best_pair_of_each_generation_and_the_line_of_the_last(descent: Descent) -> None:
    assert descent.generations == 3
    assert _places([descent.best_until(number) for number in range(3)]) == [(0, 0), (1, 0), (2, 1)]
    assert _places(descent.line(descent.best)) == [(0, 0), (2, 1)]
    assert _places(descent.wave(1)) == [(1, 0), (1, 1)]
    assert change_of(descent.best_until(1)) == TEACHER


def test_of_equal_scores_the_earlier_candidate_is_the_best(descent: Descent) -> None:
    same = [
        one.model_copy(update={"scores": descent.best.scores})
        for one in descent.evaluations.values()
    ]
    assert _places([Descent(same).best]) == [(0, 0)]


def test_gains_are_against_the_parent_and_of_the_bases_children_against_the_base(
    descent: Descent,
) -> None:
    values = [gain.value for gain in descent.gains(0.4)]
    assert values == pytest.approx([0.1, -0.1, 0.05, -0.05, -0.01, 0.1])
    assert [gain.value for gain in descent.gains()][:2] == [None, None]


def test_gains_over_the_parents_that_were_trained_on(tmp_path: Path) -> None:
    """H of the control of 0.0 and 0.1, children of the base, is 0.45; 1.0 has one, 1.1 has none."""
    everyone = made_up_search()
    controls = []
    for place, score in (((0, 0), 0.45), ((1, 0), 0.52)):
        (child,) = (one for one in everyone if _places([one]) == [place])
        best = child.best.model_copy(update={"score": score})
        controls.append(child.model_copy(update={"scores": (best,)}))
    path = tmp_path / "descent.json"
    path.write_bytes(Descent(everyone, controls[::-1]).content())
    descent = Descent.load(path)
    gains = [gain.value for gain in descent.gains_over_controls()]
    assert gains[:3] == pytest.approx([0.05, -0.15, 0.03]) and gains[3:] == [None] * 3
    table, _ = gain_study(descent, 0.4)
    by_change = {row["change"]: row for row in csv.DictReader(table.csv().decode().splitlines())}
    pruning = by_change["prune_channels"]
    assert (pruning["controlled"], pruning["beneficial_over_control"]) == ("1", "1")
    assert float(pruning["mean_gain_over_control"]) == pytest.approx(0.05)
    assert by_change["add_layer"]["controlled"] == "0"


def test_figure_6_by_hand(descent: Descent) -> None:
    """Pruning gained 0.1 in the first generation and in the last, the teacher 0.05 between them."""
    gains = descent.gains(0.4)
    assert total_gain(gains) == pytest.approx(
        {
            "prune_layer": 0,
            "prune_channels": 0.2,
            "add_layer": 0,
            "rearrange_layer": 0,
            "mutate_teacher": 0.05,
        }
    )
    shares = beneficial_share(descent, gains)
    assert [shares[phase]["prune_channels"] for phase in ("early", "middle", "late")] == [1, 0, 1]
    assert shares["middle"][TEACHER] == 1
    # without the base's score its children do not count
    assert total_gain(descent.gains())["prune_channels"] == pytest.approx(0.1)
    assert sum(beneficial_share(descent, descent.gains())["early"].values()) == 0


def test_a_search_without_candidates_or_with_a_missing_parent_is_refused() -> None:
    with pytest.raises(DetSearchError, match="evaluated no candidate"):
        Descent([])
    with pytest.raises(
        DetSearchError, match=r"generation_2/candidate_1 descends from .*candidate_0"
    ):
        Descent(made_up_search(lambda place: place == (2, 1)))


def test_a_search_is_the_same_out_of_its_file(descent: Descent, tmp_path: Path) -> None:
    path = tmp_path / "descent.json"
    path.write_bytes(descent.content())
    assert Descent.load(path).evaluations == descent.evaluations
    path.write_text('{"evaluations": [{"macs": 0}], "controls": []}')
    with pytest.raises(ArtifactError, match=r"descent\.json does not hold the candidates"):
        Descent.load(path)
