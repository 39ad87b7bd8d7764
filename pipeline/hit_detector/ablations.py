"""Detectors of Hit-Detector's ablation studies (section 4.4), made from others."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from pydantic import ValidationError

from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.training.seeding import derive_seed


def with_searched(baseline: Architecture, searched: Architecture, component: str) -> Architecture:
    """A baseline with one component replaced by the searched one (Table 5).

    The replaced neck keeps the searched width; RPN and head take whatever the neck gives.

    Raises:
        DetSearchError: one of the two is one-stage and the other is not.
        ValueError: there is no such component.
    """
    if component not in COMPONENTS:
        raise ValueError(f"unknown component {component!r}: expected one of {COMPONENTS}")
    if (baseline.rpn is None) != (searched.rpn is None):
        raise DetSearchError(
            "Table 5 replaces parts of a baseline of the searched detector's kind, one-stage or "
            "two-stage: choose another ablations.baseline"
        )
    mixed = {
        **baseline.model_dump(mode="json"),
        "family": "hit_detector",
        component: getattr(searched, component).model_dump(mode="json"),
        "provenance": {"searched": component},
    }
    return Architecture.model_validate(mixed)


def combined(
    parts: Mapping[str, Architecture], sources: Mapping[str, str] | None = None
) -> Architecture:
    """One detector of several detectors' components, each made without the others (section 1).

    Args:
        parts: by component the architecture that it is taken from; all for the same classes. That of the head
            gives the RPN, too.
        sources: by component what the architecture is called; where there are none, each was searched apart.

    Raises:
        DetSearchError: some are one-stage and some are not, or they do not fit for another reason.
    """
    if len({part.rpn is None for part in parts.values()}) > 1:
        raise DetSearchError("parts of one-stage and of two-stage detectors do not go together")
    taken = {name: getattr(parts[name], name).model_dump(mode="json") for name in COMPONENTS}
    origin = {"parts": dict(sources)} if sources else {"searched_apart": list(COMPONENTS)}
    try:
        return Architecture.model_validate(
            {
                **parts["head"].model_dump(mode="json"),
                **taken,
                "family": "hit_detector",
                "provenance": origin,
            }
        )
    except ValidationError as error:
        problems = "; ".join(problem["msg"] for problem in error.errors())
        raise DetSearchError(f"these parts do not go together: {problems}") from None


def replacement_layers(base: Architecture, component: str, layers: int, seed: int) -> list[str]:
    """The random layers of a component in which Figure 3 replaces the operation, in their order."""
    names = list(base.blocks(component))
    drawn = random.Random(derive_seed(seed, "figure3", component)).sample(
        names, min(layers, len(names))
    )
    return sorted(drawn, key=names.index)


def with_replaced(base: Architecture, component: str, layer: str, operation: str) -> Architecture:
    """The same detector with the operation of one layer replaced (Figure 3).

    Raises:
        ValueError: the component has no such layer.
    """
    if layer not in base.blocks(component):
        raise ValueError(f"the {component} has no layer {layer!r}")
    return base.with_operations(
        lambda part, name, block: (
            operation if (part, name) == (component, layer) else block.operation
        )
    )


def common_space(spaces: Mapping[str, Mapping[str, Any]], keep: int) -> dict[str, Any]:
    """One sub search space for all components (Table 4): the candidates best on average.

    A candidate's place counts, not its score: scores of different components share different sums. One that
    a component does not have, as stated spaces may leave it out, has the place behind all others there.

    Args:
        spaces: per component its `sub_search_space.json`.
        keep: operations to keep.
    """
    rankings = [best_first(space) for space in spaces.values()]
    names = dict.fromkeys(name for ranking in rankings for name in ranking)
    places = {
        name: fmean(ranking.index(name) if name in ranking else len(names) for ranking in rankings)
        for name in names
    }
    ranked = sorted(places, key=lambda name: places[name])
    return {
        "format": 1,
        "component": "common",
        "kept": ranked[:keep],
        "scores": {name: 1 - place / len(names) for name, place in places.items()},
        "removed": [],
        "mean_place": places,
    }


def best_first(space: Mapping[str, Any]) -> Sequence[str]:
    """All candidates of a screening: the kept by score, then the last removed to the first."""
    return [*space["kept"], *(gone["operation"] for gone in reversed(space["removed"]))]
