"""Random architectures: of the searched one's cost, which a search has to beat, and of any cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.detection.complexity import candidate_macs, detector_complexity
from pipeline.errors import DetSearchError
from pipeline.hit_detector.spaces import layer_of
from pipeline.search_space.architecture import Architecture, Block
from pipeline.training.seeding import derive_seed

AT_ONCE = 1000
"""Draws that are weighed together."""


def random_network(
    searched: Architecture,
    spaces: Mapping[str, Sequence[str]],
    proposals: int,
    *,
    tolerance: float,
    draws: int,
    seed: int,
    number: int,
) -> Architecture:
    """An architecture drawn uniformly among those that cost about as much as the searched one.

    Each layer's operation is drawn uniformly from its component's sub search space, and the first
    network with |MACs - MACs of the searched| <= tolerance x MACs of the searched is taken.

    Args:
        searched: the searched architecture, whose outer shape is kept.
        spaces: by component its sub search space.
        proposals: RoIs at which MACs are counted.
        tolerance: greatest difference of the MACs, as a share of the searched network's.
        draws: networks to look at.
        seed: of the run.
        number: of the network; each has draws of its own.

    Returns:
        The architecture; its provenance holds the number, its MACs, the searched one's, and which
        draw it was, from 1 on.

    Raises:
        DetSearchError: none of the draws costs about as much.
    """

    def offered(component: str, name: str, block: Block) -> tuple[str, ...]:
        return tuple(spaces[component])

    macs = candidate_macs(searched.with_operations(offered), proposals)
    costs = {layer_of(dotted): np.array(values) for dotted, values in macs.items()}
    target = detector_complexity(searched, proposals).total.macs
    fixed = target - sum(
        costs[component, name][list(spaces[component]).index(str(block.operation))]
        for component in spaces
        for name, block in searched.blocks(component).items()
    )
    rng = np.random.default_rng(derive_seed(seed, "random network", number))
    found = float("inf")
    for first in range(0, draws, AT_ONCE):
        count = min(AT_ONCE, draws - first)
        drawn = {layer: rng.integers(len(cost), size=count) for layer, cost in costs.items()}
        totals = fixed + np.sum([costs[layer][drawn[layer]] for layer in costs], axis=0)
        distances = np.abs(totals - target)
        fitting = np.flatnonzero(distances <= tolerance * target)
        # the first that fits, and not the best: one that fits better is no likelier to be drawn
        place = int(fitting[0]) if fitting.size else int(distances.argmin())
        if abs(totals[place] - target) < abs(found - target):
            found = float(totals[place])
        if fitting.size:
            chosen = {layer: int(numbers[place]) for layer, numbers in drawn.items()}
            provenance = {
                "method": "random",
                "number": number,
                "macs": round(float(totals[place])),
                "searched_macs": target,
                "draw": first + place + 1,
            }
            network = _with_choices(searched, spaces, chosen)
            return network.model_copy(update={"provenance": provenance})
    raise DetSearchError(
        f"none of {draws} random architectures has the searched one's {target:,} MACs within "
        f"{100 * tolerance:g} %; the nearest has {found:,.0f}: raise ablations.random.tolerance or draws"
    )


def uniform_network(
    network: Architecture, spaces: Mapping[str, Sequence[str]], *, seed: int, number: int
) -> Architecture:
    """An architecture drawn uniformly, whatever it costs: each layer's operation by itself.

    Args:
        network: whose outer shape is kept.
        spaces: by component its operations.
        seed: of the run.
        number: of the architecture; each has draws of its own.

    Returns:
        The architecture; its provenance holds the number.
    """
    rng = np.random.default_rng(derive_seed(seed, "uniform network", number))
    chosen = {
        (component, name): int(rng.integers(len(spaces[component])))
        for component in spaces
        for name in network.blocks(component)
    }
    drawn = _with_choices(network, spaces, chosen)
    return drawn.model_copy(update={"provenance": {"method": "uniform", "number": number}})


def _with_choices(
    network: Architecture,
    spaces: Mapping[str, Sequence[str]],
    chosen: Mapping[tuple[str, str], int],
) -> Architecture:
    def choose(component: str, name: str, block: Block) -> str:
        return spaces[component][chosen[component, name]]

    return network.with_operations(choose)
