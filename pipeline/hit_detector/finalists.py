"""Finalists: networks that the search makes likely, each trained alone for a short time; the best is derived.

α and one-shot scores judge a network by weights that it shares with others, and what they say of networks
of about the same score is mostly noise (docs/methods/does_it_search.md). Differentiable searches have
been followed by short trainings of several results since the first (Liu et al. 2019); here
one search gives the several.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.artifacts.files import read_json
from pipeline.errors import DetSearchError
from pipeline.hit_detector.paths import Path as NetworkPath
from pipeline.hit_detector.paths import PathSpace
from pipeline.hit_detector.search import decoded, derive
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.training.seeding import derive_seed

log = logging.getLogger("detsearch")

ChosenBy = Literal["ap", "dense_loss"]

FINALISTS = "finalists.json"
"""The file of what the short trainings gave, beside the architecture of the best."""

CHEAPEST = 0.97
"""The least cost of a drawn network, as a share of the most that one may have."""
DRAWS = 10_000


def draw_finalist(
    supernet: Architecture, scores: Mapping[str, Any], space: PathSpace, *, seed: int, number: int
) -> Architecture:
    """A finalist: number 0 is the derived network, others are drawn by the search's probabilities.

    Each layer's operation is drawn by itself. The first network is taken that no smaller number has and that
    has as many MACs as it may, within three hundredths: as `space.budget`, or as the derived one. Where ten
    thousand draws hold none, the last one's layers take cheaper operations until it fits. Where the search
    has decided so that all draws are networks of smaller numbers, it is one of these; the log says so.

    Args:
        supernet: the architecture that was searched.
        scores: `scores.json` of its search.
        space: the supernet's paths, with the budget where there is one.
        seed: of the run.
        number: of the finalist; each has draws of its own.

    Raises:
        ValueError: the scores are not of this supernet.
        DetSearchError: no network keeps the budget.
    """
    best = derive(supernet, scores, space if space.budget is not None else None)
    derived = tuple(
        space.operations(layer).index(str(best.blocks(layer[0])[layer[1]].operation))
        for layer in space.layers
    )
    if number == 0:
        return best
    most = space.cost(derived) if space.budget is None else space.budget
    space = replace(space, budget=most)
    probabilities = {
        (component, layer["name"]): np.array(layer["probabilities"])
        for component, content in scores["components"].items()
        for layer in content["layers"]
    }
    shares = [share / share.sum() for share in (probabilities[layer] for layer in space.layers)]
    paths = [derived]
    for one in range(1, number + 1):
        rng = np.random.default_rng(derive_seed(seed, "finalist", one))
        paths.append(_drawn(space, shares, rng, paths))
    if paths[-1] in paths[:-1]:
        log.warning(
            "finalist %d is number %d again: no draw differs", number, paths.index(paths[-1])
        )
    return decoded(supernet, scores, dict(zip(space.layers, paths[-1], strict=True)))


def _drawn(
    space: PathSpace, shares: Sequence[Any], rng: np.random.Generator, others: Sequence[NetworkPath]
) -> NetworkPath:
    """The first of many draws that costs what `space.budget` says and differs from others."""
    assert space.budget is not None
    drawn = np.stack([rng.choice(len(share), DRAWS, p=share) for share in shares])
    costs = space.fixed + sum(
        costs[choices] for costs, choices in zip(space.macs, drawn, strict=True)
    )
    fitting = np.flatnonzero((costs <= space.budget) & (costs >= CHEAPEST * space.budget))
    if not fitting.size:
        return space.mended(tuple(map(int, drawn[:, -1])), rng)
    paths = (tuple(map(int, drawn[:, place])) for place in fitting)
    return next(
        (path for path in paths if path not in others), tuple(map(int, drawn[:, fitting[0]]))
    )


@dataclass(frozen=True)
class Finalist:
    """What a short training gave: AP on the validation split, and the loss over all anchors."""

    number: int
    architecture: Architecture
    AP: float
    dense_loss: float

    def better(self, chosen_by: ChosenBy) -> float:
        """The number of which a better finalist has more."""
        return self.AP if chosen_by == "ap" else -self.dense_loss


def dense_loss(records: Sequence[Mapping[str, Any]]) -> float:
    """Mean classification loss over all anchors in the second half of a training.

    That of the RPN, or of a one-stage head. Every anchor of every image counts, so few steps tell much; the
    losses of sampled RoIs grow first, as a network that finds objects has more of them to judge
    (docs/methods/does_it_search.md).

    Args:
        records: of a detector's `history.json`; each loss is the mean since the record before it.
    """
    name = "loss_rpn_cls" if any("loss_rpn_cls" in record for record in records) else "loss_cls"
    logged = [(int(record["iteration"]), record[name]) for record in records if name in record]
    begins = [0, *(iteration for iteration, _ in logged[:-1])]
    late = [
        (loss, iteration - begin)
        for begin, (iteration, loss) in zip(begins, logged, strict=True)
        if 2 * iteration > logged[-1][0]
    ]
    losses, steps = zip(*late, strict=True)
    return float(np.average(losses, weights=steps))


def read_finalist(number: int, detector: Path) -> Finalist:
    """A finalist with what its training's history says of it.

    Raises:
        DetSearchError: no AP is defined.
    """
    records = read_json(detector / "history.json")["records"]
    found = [record["AP"] for record in records if record.get("AP") is not None]
    if not found:
        raise DetSearchError(f"{detector}: no AP, as the validation images hold no objects to find")
    architecture = Architecture.load(detector / ARCHITECTURE)
    return Finalist(number, architecture, float(found[-1]), dense_loss(records))


def best_finalist(
    finalists: list[Finalist], chosen_by: ChosenBy
) -> tuple[Architecture, dict[str, Any]]:
    """The architecture of the best, of equal ones the first, and `finalists.json`."""
    best = max(finalists, key=lambda each: (each.better(chosen_by), -each.number))
    record = {
        "format": 1,
        "chosen": best.number,
        "chosen_by": chosen_by,
        "finalists": [
            {"number": each.number, "AP": each.AP, "dense_loss": each.dense_loss}
            for each in finalists
        ],
    }
    return best.architecture, record
