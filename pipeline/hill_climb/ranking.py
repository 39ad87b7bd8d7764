"""The top-k list and the end of the search: lines 15 to 17 of Algorithm 1 (Joint-DetNAS)."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config.hill_climb import Listing
from pipeline.hill_climb.records import Evaluation, Name, Ranking


def rank(
    ranking: Ranking, evaluated: Iterable[Evaluation], settings: Listing, *, ranked: bool = True
) -> Ranking:
    """The search after one more generation.

    Does not depend on the order in which candidates are given: equal scores are ordered by their names,
    the earlier first.

    Args:
        ranking: after the generation before.
        evaluated: all candidates of the generation; none where the search had converged.
        settings: section `hill_climb`: `top_k` and `patience`.
        ranked: whether the list holds the best; if not, the best one and behind it all others of the
            generation, from which the next one descends, and there is no end.
    """
    wave = tuple(evaluated)
    if not wave:
        return ranking
    ordered = sorted((*ranking.top, *wave), key=_place)
    history = (*ranking.history, ordered[0].best.score)
    if not ranked:
        others = (one for one in wave if one is not ordered[0])
        following = sorted(others, key=lambda one: one.proposal.name.candidate)
        return Ranking(top=(ordered[0], *following), history=history)
    return Ranking(
        top=tuple(ordered[: settings.top_k]),
        history=history,
        converged=_generations_without_gain(history) >= settings.patience,
    )


def no_longer_parents(ranking: Ranking, names: Iterable[Name]) -> list[Name]:
    """The candidates among `names` from which no later one can descend: their weights can go."""
    parents = [evaluation.proposal.name for evaluation in ranking.top]
    return [name for name in names if name not in parents]


def _place(evaluation: Evaluation) -> tuple[float, int, int]:
    name = evaluation.proposal.name
    return -evaluation.best.score, name.generation, name.candidate


def _generations_without_gain(history: tuple[float, ...]) -> int:
    return len(history) - 1 - history.index(max(history))
