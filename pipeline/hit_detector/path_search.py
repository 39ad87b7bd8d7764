"""Searches over the paths of a trained supernet by their one-shot scores: aging evolution, and random.

Aging evolution (Real et al. 2019) with crossover: the population are the last paths that were scored, so
the oldest goes when one comes. What is drawn for the n-th path depends on the seed, n and the paths before
it only: a search that goes on after a stop finds what it would have found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.config.hit_detector import PathSearchConfig
from pipeline.hit_detector.paths import Path, PathSpace, shares
from pipeline.search_space.architecture import Architecture
from pipeline.training.loop import Record
from pipeline.training.seeding import derive_seed

TRIES = 1000
"""Draws of a path that was not scored yet, before the space counts as used up."""


@dataclass(frozen=True)
class ScoredPath:
    """A path with its one-shot score, and the numbers of the paths that it descends from."""

    path: Path
    score: float
    parents: tuple[int, ...] = ()


class PathSearch:
    """A task of the training loop: each step scores one path.

    Args:
        space: the paths, and their budget.
        score: of a network; higher is better.
        settings: strategy, and how many paths.
        seed: of the run.

    Attributes:
        scored: all paths so far; none twice.
    """

    def __init__(
        self,
        space: PathSpace,
        score: Callable[[Architecture], float],
        settings: PathSearchConfig,
        seed: int,
    ) -> None:
        self.space, self.score, self.settings, self.seed = space, score, settings, seed
        self.iterations = self.epoch_length = settings.scored_paths
        self.scored: list[ScoredPath] = []

    @property
    def best(self) -> ScoredPath:
        """The path of the highest score; of equal ones the first."""
        return max(self.scored, key=lambda each: each.score)

    def start(self, iteration: int) -> None:
        """Nothing to open."""

    def fetch(self, iteration: int) -> None:
        """A step has no data of its own: every path is judged on the same images."""

    def step(self, iteration: int, data: None) -> Record:
        """Propose a path and score it; nothing once no new one is found.

        Returns:
            `loss`, minus the score of the path (of the best, if there was none), and of the best path so
            far `best_score` and `best_gmacs`.
        """
        found = self._propose(iteration)
        if found is not None:
            path, parents = found
            self.scored.append(ScoredPath(path, self.score(self.space.network(path)), parents))
        best = self.best
        return {
            "loss": -(best if found is None else self.scored[-1]).score,
            "best_score": best.score,
            "best_gmacs": self.space.cost(best.path) / 1e9,
        }

    def _propose(self, number: int) -> tuple[Path, tuple[int, ...]] | None:
        rng = np.random.default_rng(derive_seed(self.seed, "path", number))
        known = {each.path for each in self.scored}
        for _ in range(TRIES):
            path, parents = self._draw(rng)
            if path not in known:
                return path, parents
        return None

    def _draw(self, rng: np.random.Generator) -> tuple[Path, tuple[int, ...]]:
        evolution = self.settings.evolution
        if self.settings.strategy == "random" or len(self.scored) < evolution.population:
            return self.space.random(rng), ()
        parents = [self._parent(rng)]
        if rng.random() < evolution.crossover:
            parents.append(self._parent(rng))
        child = list(self.scored[parents[0]].path)
        for place, costs in enumerate(self.space.macs):
            child[place] = self.scored[parents[int(rng.integers(len(parents)))]].path[place]
            if rng.random() < evolution.mutation:
                child[place] = int(rng.integers(len(costs)))
        return self.space.mended(tuple(child), rng), tuple(dict.fromkeys(parents))

    def _parent(self, rng: np.random.Generator) -> int:
        """The best of some members of the population, by its number."""
        evolution = self.settings.evolution
        oldest = len(self.scored) - evolution.population
        drawn = rng.choice(evolution.population, evolution.tournament, replace=False) + oldest
        return max(sorted(map(int, drawn)), key=lambda number: self.scored[number].score)

    def end_epoch(self, epoch: int) -> Record:
        """Nothing to add."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """The scored paths."""
        return {"scored": [(each.path, each.score, each.parents) for each in self.scored]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.scored = [ScoredPath(*each) for each in state["scored"]]


def path_scores(search: PathSearch) -> dict[str, Any]:
    """`scores.json` of a search over paths: as a probability counts how many of the best paths agree.

    Of the best tenth of the scored paths it is the share that takes the candidate; `chosen` is the
    operation of the best path, which need not be the most frequent.
    """
    space = search.space
    ranked = sorted(search.scored, key=lambda each: -each.score)
    frequent = shares([each.path for each in ranked[: -(-len(ranked) // 10)]], space)
    components: dict[str, Any] = {}
    for place, layer in enumerate(space.layers):
        component, name = layer
        operations = space.operations(layer)
        content = components.setdefault(component, {"operations": list(operations), "layers": []})
        content["layers"].append(
            {
                "name": name,
                "probabilities": frequent[layer],
                "macs": [int(macs) for macs in space.macs[place]],
                "chosen": operations[search.best.path[place]],
            }
        )
    return {"format": 1, "components": components}


def paths_record(search: PathSearch) -> dict[str, Any]:
    """`paths.json`: every scored path, in the order in which they were scored."""
    space = search.space
    return {
        "format": 1,
        "strategy": search.settings.strategy,
        "score": search.settings.one_shot,
        "max_gmacs": search.settings.max_gmacs,
        "layers": [f"{component}.{name}" for component, name in space.layers],
        "paths": [
            {
                "operations": operations_of(space, each.path),
                "macs": int(space.cost(each.path)),
                "score": each.score,
                "parents": list(each.parents),
            }
            for each in search.scored
        ],
    }


def operations_of(space: PathSpace, path: Path) -> Sequence[str]:
    """The names of a path's operations, layer by layer."""
    return [
        space.operations(layer)[choice] for layer, choice in zip(space.layers, path, strict=True)
    ]
