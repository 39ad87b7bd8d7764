"""NSGA-II's selection (Deb et al. 2002, section III): ranks of non-dominated points, and crowding.

Points are rows of objectives, all of which are minimised. Pure functions of their arguments; ties go to
the earlier row. Imports no torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(N, M): M objectives of N points, the smaller the better."""


def dominates(one: Points, other: Points) -> bool:
    """Whether a point (M,) is nowhere worse than another, and somewhere better."""
    return bool(np.all(one <= other) and np.any(one < other))


def ranks(points: Points) -> NDArray[np.int64]:
    """(N,): 0 for points that none dominates, 1 for those that only points of rank 0 dominate, and so on."""
    count = len(points)
    no_worse = np.all(points[:, None] <= points[None], axis=2)
    better = np.any(points[:, None] < points[None], axis=2)
    dominating = no_worse & better
    found = np.full(count, -1, np.int64)
    rank = 0
    while (found < 0).any():
        left = found < 0
        free = left & ~dominating[left].any(axis=0)
        found[free] = rank
        rank += 1
    return found


def crowding(points: Points) -> NDArray[np.float64]:
    """(N,): how far the neighbours of each point are apart, of points of one rank.

    The sum over the objectives of the distance between the next smaller and the next larger value, as a
    share of the objective's range; infinite at its ends.
    """
    distance = np.zeros(len(points))
    for values in points.T:
        order = np.argsort(values, kind="stable")
        sorted_values = values[order]
        span = sorted_values[-1] - sorted_values[0]
        distance[order[[0, -1]]] = np.inf
        if span > 0:
            distance[order[1:-1]] += (sorted_values[2:] - sorted_values[:-2]) / span
    return distance


def best_first(points: Points) -> list[int]:
    """Positions of the points by rank, and within a rank by falling crowding distance."""
    rank = ranks(points)
    order: list[int] = []
    for level in range(int(rank.max(initial=-1)) + 1):
        members = np.flatnonzero(rank == level)
        fall = np.argsort(-crowding(points[members]), kind="stable")
        order += members[fall].tolist()
    return order


def non_dominated(points: Points) -> list[int]:
    """Positions of points that none dominates, by the first objective; of equal points the first alone."""
    first = np.flatnonzero(ranks(points) == 0)
    _, unique = np.unique(points[first], axis=0, return_index=True)
    kept = first[np.sort(unique)]
    return sorted(kept.tolist(), key=lambda position: (*points[position].tolist(), position))
