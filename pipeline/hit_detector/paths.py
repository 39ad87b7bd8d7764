"""The networks of a search supernet as paths, what they cost, and the budget that they have to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.search_space.architecture import Architecture, Block

Path = tuple[int, ...]
"""In each layer the number of the candidate that is taken there."""

Layer = tuple[str, str]
"""A component, and the name of a block of it."""


@dataclass(frozen=True)
class PathSpace:
    """All paths of a supernet; the cost of a path is the sum of its layers' and of what is not searched.

    Attributes:
        supernet: the architecture whose blocks hold candidates.
        layers: its blocks, in the order in which data flows.
        macs: per layer the multiply-accumulates of each candidate.
        fixed: multiply-accumulates of what every path has.
        budget: the most multiply-accumulates that a network may have; none where None.
    """

    supernet: Architecture
    layers: tuple[Layer, ...]
    macs: tuple[np.ndarray, ...]
    fixed: int
    budget: float | None

    def cost(self, path: Path) -> float:
        """Multiply-accumulates of a path's network."""
        return self.fixed + sum(
            float(costs[choice]) for costs, choice in zip(self.macs, path, strict=True)
        )

    def keeps_budget(self, path: Path) -> bool:
        """Whether the path's network has no more multiply-accumulates than the budget."""
        return self.budget is None or self.cost(path) <= self.budget

    def operations(self, layer: Layer) -> tuple[str, ...]:
        """The candidates of a layer."""
        operation = self.supernet.blocks(layer[0])[layer[1]].operation
        return (operation,) if isinstance(operation, str) else tuple(operation)

    def network(self, path: Path) -> Architecture:
        """The architecture of a path."""
        chosen = dict(zip(self.layers, path, strict=True))

        def choose(component: str, name: str, block: Block) -> str:
            # a block with one operation is no layer of a path
            if isinstance(block.operation, str):
                return block.operation
            return block.operation[chosen[component, name]]

        return self.supernet.with_operations(choose)

    def random(self, rng: np.random.Generator) -> Path:
        """A path, all equally likely; one over the budget is mended."""
        return self.mended(tuple(int(rng.integers(len(costs))) for costs in self.macs), rng)

    def mended(self, path: Path, rng: np.random.Generator) -> Path:
        """The path, made to keep the budget: some layers take cheaper candidates.

        A layer is drawn among those that can be cheaper, and takes one of its cheaper candidates, all
        equally likely; and so on.
        """
        mended = list(path)
        while not self.keeps_budget(tuple(mended)):
            cheaper = {
                place: np.flatnonzero(costs < costs[mended[place]])
                for place, costs in enumerate(self.macs)
            }
            place = int(rng.choice([place for place, found in cheaper.items() if found.size]))
            mended[place] = int(rng.choice(cheaper[place]))
        return tuple(mended)


def best_within(
    values: Sequence[np.ndarray], costs: Sequence[np.ndarray], budget: float
) -> Path | None:
    """The path of the greatest Σ_l values_l whose Σ_l costs_l is at most the budget, exactly.

    A multiple-choice knapsack, solved layer by layer: of all partial paths those are kept that no other
    beats in both value and cost, and whose bound reaches the best path known. The bound is that of the
    Lagrangian, min over λ ≥ 0 of Σ_l max_o (v_o - λ c_o) + λ · budget.

    Args:
        values: per layer the value of each candidate; minus infinity where it must not be taken.
        costs: per layer the cost of each candidate.
        budget: for all layers together.

    Returns:
        The path, of equally good ones a cheapest; None where none keeps the budget.
    """
    allowed = [np.isfinite(value) for value in values]
    least = [cost[fine].min(initial=np.inf) for cost, fine in zip(costs, allowed, strict=True)]
    if sum(least) > budget:
        return None
    price, known = _price(values, costs, budget)
    # what the layers behind each one cost at least, and are worth at most at the price
    cheapest = np.cumsum([0.0, *least[:0:-1]])[::-1]
    worth = [float((value - price * cost).max()) for value, cost in zip(values, costs, strict=True)]
    most = np.cumsum([0.0, *worth[:0:-1]])[::-1]
    slack = 1e-9 * (1 + abs(known))
    spent, gained = np.zeros(1), np.zeros(1)
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    for place, (value, cost) in enumerate(zip(values, costs, strict=True)):
        total = (spent[:, None] + cost).ravel()
        gain = (gained[:, None] + value).ravel()
        bound = gain + price * (budget - total) + most[place]
        fits = np.flatnonzero((total + cheapest[place] <= budget) & (bound >= known - slack))
        order = fits[np.lexsort((-gain[fits], total[fits]))]
        before = np.maximum.accumulate(np.concatenate([[-np.inf], gain[order][:-1]]))
        kept = order[gain[order] > before]
        steps.append((kept // len(value), kept % len(value)))
        spent, gained = total[kept], gain[kept]
    state, path = int(gained.argmax()), []
    for came_from, choice in reversed(steps):
        path.append(int(choice[state]))
        state = int(came_from[state])
    return tuple(reversed(path))


def _price(
    values: Sequence[np.ndarray], costs: Sequence[np.ndarray], budget: float
) -> tuple[float, float]:
    """A price λ of cost near the Lagrangian's least bound, and the value of a path that keeps the budget."""

    def at(price: float) -> tuple[float, float]:
        """Value and cost of the best path where cost has a price; of equal ones the cheapest."""
        value = spent = 0.0
        for gain, cost in zip(values, costs, strict=True):
            net = gain - price * cost
            choice = min(np.flatnonzero(net == net.max()), key=lambda k: cost[k])
            value, spent = value + float(gain[choice]), spent + float(cost[choice])
        return value, spent

    low, high = 0.0, 1.0 / max(float(max(cost.max() for cost in costs)), 1.0)
    while at(high)[1] > budget:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle)[1] > budget else (low, middle)
    return high, at(high)[0]


def shares(paths: Sequence[Path], space: PathSpace) -> Mapping[Layer, list[float]]:
    """By layer, the share of the paths that take each candidate."""
    return {
        layer: [
            sum(path[place] == choice for path in paths) / len(paths)
            for choice in range(len(space.macs[place]))
        ]
        for place, layer in enumerate(space.layers)
    }
