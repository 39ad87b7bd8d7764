"""The search: its score by hand, a function of its seed, its end, and what it refuses."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from pipeline.config.hill_climb import HillClimbConfig, Variant
from pipeline.config.teacher_pool import PoolSpace
from pipeline.errors import DetSearchError
from pipeline.hill_climb.controls import control_of, is_first_child
from pipeline.hill_climb.proposals import PRUNING, candidate_seed, propose
from pipeline.hill_climb.ranking import no_longer_parents, rank
from pipeline.hill_climb.records import Base, Evaluation, Name, Proposal, Ranking, Score
from pipeline.hill_climb.scoring import hill_score, scores_of
from pipeline.morphism.actions import possible_actions
from pipeline.search_space.architecture import Architecture
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.zoo.architectures import zoo_architecture

BASE = Base(cost=1000, resolution=(100, 60))
SPACE = SubnetSpace.whole(PoolSpace(), classes=80)


@pytest.fixture(scope="module")
def network() -> Architecture:
    return zoo_architecture("fpn_r18")


def _settings(**changed: object) -> HillClimbConfig:
    return HillClimbConfig.model_validate({"candidates": 4, "top_k": 3, "patience": 2, **changed})


def _evaluation(proposal: Proposal, network: Architecture, score: float) -> Evaluation:
    result = Score(resolution=(100, 60), ap=0.5, score=score)
    return Evaluation(proposal=proposal, architecture=network, macs=900, scores=(result,), epochs=3)


Order = Callable[[list[Proposal]], list[Proposal]]


def _search(network: Architecture, order: Order, seed: int = 0) -> tuple[Ranking, list[Proposal]]:
    """Three generations with scores that depend on the candidate alone, its jobs in some order."""
    settings, ranking, proposed = _settings(patience=9), Ranking(), []
    for generation in range(3):
        wave = list(propose(generation, ranking, network, SPACE, settings, seed))
        proposed += wave
        done = [
            _evaluation(one, network, random.Random(candidate_seed(seed, one.name)).random())
            for one in order(wave)
        ]
        ranking = rank(ranking, done, settings)
    return ranking, proposed


def test_the_score_by_hand() -> None:
    # a quarter of the computation at four times the area: the bracket is 0.25 · 4^β
    quarter = (250, (200, 120), BASE)
    assert hill_score(0.4, *quarter, alpha=0.5, beta=1.0) == pytest.approx(0.4)
    assert hill_score(0.4, *quarter, alpha=0.5, beta=0.0) == pytest.approx(0.8)
    assert hill_score(0.4, *quarter, alpha=0.5, beta=2.0) == pytest.approx(0.2)
    assert hill_score(0.4, *quarter, alpha=0.0, beta=2.0) == pytest.approx(0.4)
    assert hill_score(0.4, 1000, (100, 60), BASE, alpha=3.0, beta=3.0) == pytest.approx(0.4)


def test_a_target_rewards_no_more_than_itself() -> None:
    def score(ap: float, cost: float) -> float:
        return hill_score(ap, cost, (100, 60), BASE, alpha=2.0, beta=1.0, target=0.5)

    assert score(0.4, 800) == pytest.approx(0.4 / 0.64)
    assert score(0.4, 500) == score(0.4, 100) == pytest.approx(1.6)
    # beneath the target the better AP wins, whatever it costs; above it, computation counts as before
    assert score(0.41, 499) > score(0.4, 100)
    assert score(0.4, 499) > score(0.41, 800)
    metrics = [{"resolution": [100, 60], "AP": 0.30}, {"resolution": [50, 30], "AP": 0.25}]
    capped = scores_of(metrics, 1000, BASE, _settings(alpha=0.5, beta=1.0, target=0.64))
    assert [one.score for one in capped] == pytest.approx([0.30, 0.25 / 0.8])


def test_scores_at_every_resolution_and_the_best_of_them(network: Architecture) -> None:
    metrics = [{"resolution": [100, 60], "AP": 0.30}, {"resolution": [50, 30], "AP": 0.25}]
    scores = scores_of(metrics, 1000, BASE, _settings(alpha=0.5, beta=1.0))
    assert [score.score for score in scores] == pytest.approx([0.30, 0.5])
    (proposal, *_) = propose(0, Ranking(), network, SPACE, _settings(), 0)
    best = Evaluation(
        proposal=proposal, architecture=network, macs=1000, scores=scores, epochs=3
    ).best
    assert best.resolution == (50, 30)
    with pytest.raises(DetSearchError, match="no AP at 50x30"):
        scores_of([{"resolution": [50, 30], "AP": None}], 1000, BASE, _settings())


def test_the_search_is_a_function_of_its_seed_in_any_order_of_jobs(network: Architecture) -> None:
    first = _search(network, list)
    assert _search(network, lambda wave: wave[::-1]) == first
    assert _search(network, lambda wave: random.Random(1).sample(wave, len(wave))) == first
    assert _search(network, list, seed=1)[1] != first[1]
    # a candidate does not depend on how many there are beside it
    few, many = (
        propose(0, Ranking(), network, SPACE, _settings(candidates=count), 0) for count in (2, 6)
    )
    assert few == many[:2]


def test_a_candidate_changes_student_or_teacher_of_a_parent_in_the_list(
    network: Architecture,
) -> None:
    ranking, _ = _search(network, list)
    by_folder = {one.proposal.name.folder: one for one in ranking.top}
    wave = propose(3, ranking, network, SPACE, _settings(candidates=40), 0)
    for proposal in wave:
        assert proposal.parent
        parent = by_folder[proposal.parent.folder]
        if proposal.evolves == "student":
            assert proposal.action and proposal.teacher == parent.proposal.teacher
            assert proposal.action.model_copy(update={"seed": 0}) in possible_actions(network)
        else:
            assert proposal.action is None and proposal.teacher in SPACE
            before, after = parent.proposal.teacher.knobs, proposal.teacher.knobs
            (changed,) = [name for name in before if before[name] != after[name]]
            assert changed.startswith(("depth", "width"))
    assert {proposal.evolves for proposal in wave} == {"student", "teacher"}
    assert {one.parent.folder for one in wave if one.parent} == set(by_folder)


def test_the_first_parents_are_the_base_and_the_largest_net(network: Architecture) -> None:
    settings = _settings(candidates=20, pruning_generations=1)
    for proposal in propose(0, Ranking(), network, SPACE, settings, 0):
        assert proposal.parent is None and proposal.teacher == SPACE.largest
        assert proposal.action and proposal.action.kind in PRUNING


def test_the_list_keeps_the_best_and_the_earlier_of_equals(network: Architecture) -> None:
    settings = _settings()
    proposals = propose(0, Ranking(), network, SPACE, settings, 0)
    wave = [
        _evaluation(one, network, score)
        for one, score in zip(proposals, (0.2, 0.3, 0.2, 0.2), strict=True)
    ]
    for order in itertools.permutations(wave):
        top = rank(Ranking(), order, settings).top
        assert [one.proposal.name.candidate for one in top] == [1, 0, 2]
    names = [one.name for one in proposals]
    gone = no_longer_parents(rank(Ranking(), wave, settings), names)
    assert [name.folder for name in gone] == ["generation_0/candidate_3"]


def test_it_converges_after_patience_and_then_costs_nothing(network: Architecture) -> None:
    settings, ranking = _settings(candidates=1), Ranking()
    for generation, score in enumerate((0.1, 0.3, 0.3, 0.2)):
        assert not ranking.converged
        (proposal,) = propose(generation, ranking, network, SPACE, settings, 0)
        ranking = rank(ranking, [_evaluation(proposal, network, score)], settings)
    assert ranking.converged and ranking.history == (0.1, 0.3, 0.3, 0.3)
    assert propose(4, ranking, network, SPACE, settings, 0) == ()
    assert rank(ranking, [], settings) == ranking


def test_a_random_search_descends_from_the_generation_before_and_never_ends(
    network: Architecture,
) -> None:
    """Its list keeps the best of all, whose weights are the result, but no later parent."""
    variant = Variant(teachers="draw", ranked=False)
    settings = _settings(candidates=6, top_k=1, patience=1, evolve_student=0.5)
    ranking, parents, teachers = Ranking(), set(), []
    for generation, scores in enumerate(((0.2, 0.9, 0.1, 0.3, 0.3, 0.3), (0.1,) * 6, (0.2,) * 6)):
        wave = propose(generation, ranking, network, SPACE, settings, 0, variant)
        assert all(not one.parent or one.parent.generation == generation - 1 for one in wave)
        parents |= {one.parent.candidate for one in wave if one.parent}
        teachers += [one.teacher for one in wave if one.evolves == "teacher"]
        evaluated = [_evaluation(one, network, s) for one, s in zip(wave, scores, strict=True)]
        ranking = rank(ranking, evaluated[::-1], settings, ranked=False)
        assert ranking.top[0].best.score == 0.9 and not ranking.converged
        assert len(ranking.top) == (6 if generation == 0 else 7)
    assert ranking.history == (0.9, 0.9, 0.9) and len(parents) > 2
    # anywhere in the pool, but as in the search with the largest neck at the largest resolution
    changed = [
        sum(value != SPACE.largest.knobs[knob] for knob, value in teacher.knobs.items())
        for teacher in teachers
    ]
    assert max(changed) > 3
    assert {one.neck_width for one in teachers} == {SPACE.largest.neck_width}


def test_a_control_is_the_parent_with_its_own_teacher_once_a_parent(network: Architecture) -> None:
    ranking, _ = _search(network, list)
    wave = propose(3, ranking, network, SPACE, _settings(candidates=12), 0)
    controls = [control_of(one, ranking, SPACE.largest) for one in wave]
    for control, child in zip(controls, wave, strict=True):
        assert (control.name, control.parent) == (child.name, child.parent)
        assert control.action is None and control.parent
        assert control.teacher == ranking.find(control.parent).proposal.teacher
    firsts = [one.parent for one in wave if is_first_child(one.name, wave)]
    parents = set(one.parent for one in wave)  # noqa: C401
    assert len(firsts) == len(set(firsts)) == len(parents) > 1
    (first, *_) = propose(0, Ranking(), network, SPACE, _settings(evolve_student=0.0), 0)
    assert first.teacher != SPACE.largest == control_of(first, None, SPACE.largest).teacher


def test_one_student_with_changing_teachers_and_with_one(network: Architecture) -> None:
    settings = _settings(candidates=12, evolve_student=0.0)
    ranking = Ranking()
    for variant, several in ((Variant(teachers="draw"), True), (Variant(teachers="keep"), False)):
        wave = propose(0, ranking, network, SPACE, settings, 0, variant)
        assert all(one.action is None for one in wave)
        teachers = set(one.teacher for one in wave)  # noqa: C401
        assert (len(teachers) > 1) == several
        if not several:
            assert wave[0].teacher == SPACE.largest


def test_records_survive_json(network: Architecture) -> None:
    ranking, _ = _search(network, list)
    assert Ranking.model_validate_json(ranking.model_dump_json()) == ranking


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"candidates": 0}, "candidates"),
        ({"top_k": 0}, "top_k"),
        ({"patience": 0}, "patience"),
        ({"percentages": [60]}, "at most 50"),
        ({"generations": 2, "pruning_generations": 3}, "only 2 generations"),
        ({"training": {"resolutions": [[60, 100]]}}, "longest side first"),
        ({"training": {"resolutions": []}}, "resolutions"),
    ],
)
def test_refusals(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HillClimbConfig.model_validate(changed)


def test_a_candidate_descends_from_an_earlier_generation_only() -> None:
    name = Name(generation=1, candidate=0)
    with pytest.raises(ValidationError, match="cannot descend"):
        Proposal(name=name, parent=name, evolves="teacher", action=None, teacher=SPACE.largest)
