"""The score of a student at a resolution (Joint-DetNAS, section 3.1.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config.hill_climb import Scoring
from pipeline.errors import DetSearchError
from pipeline.hill_climb.records import Base, Score


def hill_score(
    ap: float,
    cost: float,
    resolution: tuple[int, int],
    base: Base,
    *,
    alpha: float,
    beta: float,
    target: float | None = None,
) -> float:
    """H(S, R) = mAP(S) · [(C(S) / C_base) · (R / R_base)^β]^(-α).

    R is an image's area: with β = 1 the bracket is the computation at R against the base's, as far as
    that grows with the area.

    Args:
        ap: of the student at the resolution.
        cost: of the student, counted as the base's is, at the same image size.
        resolution: longest and shortest side, pixels.
        base: C_base and R_base.
        alpha: accuracy against computation.
        beta: resolution against architecture.
        target: the bracket counts as this where it is less (ours): who reaches it is compared by AP alone.
    """
    area = math.prod(resolution) / math.prod(base.resolution)
    computation = cost / base.cost * area**beta
    return ap * max(computation, target or 0.0) ** -alpha


def scores_of(
    metrics: Sequence[Mapping[str, Any]], cost: float, base: Base, settings: Scoring
) -> tuple[Score, ...]:
    """The scores of a student from its validations, as `StudentTraining.metrics` holds them.

    Raises:
        DetSearchError: a validation has no AP, since its images have no objects.
    """
    scores = []
    for numbers in metrics:
        longest, shortest = numbers["resolution"]
        if numbers["AP"] is None:
            raise DetSearchError(
                f"no AP at {longest}x{shortest}: the validation images hold no objects to find"
            )
        value = hill_score(
            numbers["AP"],
            cost,
            (longest, shortest),
            base,
            alpha=settings.alpha,
            beta=settings.beta,
            target=settings.target,
        )
        scores.append(Score(resolution=(longest, shortest), ap=numbers["AP"], score=value))
    return tuple(scores)
