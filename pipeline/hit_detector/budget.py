"""What the paths of a search supernet cost, and whether any of them keeps the budget `search.max_gmacs`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.config.hit_detector import ScreeningConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.complexity import candidate_macs, detector_complexity
from pipeline.errors import DetSearchError
from pipeline.hit_detector.paths import PathSpace
from pipeline.hit_detector.spaces import Operations, layer_of, supernet_architecture
from pipeline.search_space.architecture import COMPONENTS, Architecture


def path_space(supernet: Architecture, proposals: int, max_gmacs: float | None = None) -> PathSpace:
    """Count the costs of a supernet's candidates.

    Args:
        supernet: costs hold at its input size.
        proposals: RoIs that the head processes.
        max_gmacs: the budget, in 10⁹ MACs.

    Raises:
        DetSearchError: no path keeps the budget.
    """
    counted = candidate_macs(supernet, proposals)
    macs = {layer_of(dotted): np.array(values) for dotted, values in counted.items()}
    budget = None if max_gmacs is None else round(max_gmacs * 1e9)
    searched = PathSpace(supernet, tuple(macs), tuple(macs.values()), 0, budget)
    cheapest = tuple(int(costs.argmin()) for costs in searched.macs)
    least = detector_complexity(searched.network(cheapest), proposals).total.macs
    fixed = round(least - searched.cost(cheapest))
    if budget is not None and least > budget:
        raise DetSearchError(
            f"no architecture keeps search.max_gmacs {max_gmacs:g}: the cheapest has {least / 1e9:.4g} "
            f"GMACs, of which {fixed / 1e9:.4g} are of parts that are not searched; allow more, or make "
            "the supernet smaller"
        )
    return replace(searched, fixed=fixed)


def require_budget(shape: SupernetConfig, screening: ScreeningConfig, max_gmacs: float) -> None:
    """Refuse a budget that no sub search spaces can keep: what can be known before anything is trained.

    Args:
        shape: the outer shape.
        screening: the whole search space, or the sub search spaces where they are stated.
        max_gmacs: the budget, in 10⁹ MACs.

    Raises:
        DetSearchError: the cheapest detector of one class is dearer.
    """
    operations: dict[str, Operations] = {
        name: getattr(screening.spaces, name) if screening.spaces else screening.candidates
        for name in COMPONENTS
    }
    supernet = supernet_architecture(shape, 1, shape.depth, operations)
    path_space(supernet, shape.proposals, max_gmacs)
