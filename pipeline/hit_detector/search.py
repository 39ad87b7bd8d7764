"""End-to-end search of backbone, neck and head (Hit-Detector, sections 3.3 and 3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.config.hit_detector import DifferentiableSearch
from pipeline.errors import DetSearchError
from pipeline.hit_detector.alternation import AlternatingTask, Loss
from pipeline.hit_detector.objective import (
    expected_gmacs,
    expected_milliseconds,
    mixed_gmacs,
    mixed_milliseconds,
)
from pipeline.hit_detector.paths import Layer, PathSpace, best_within
from pipeline.search_space.architecture import Architecture, Block
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.stream import BatchStream


class TrinitySearch(AlternatingTask[DifferentiableSearch]):
    """Minimises L_det + λ (C(α) + C(β) + C(γ)) over the architecture parameters (Eq. 6).

    Args:
        model: the supernet, whose choice layers know their candidates' MACs, and milliseconds where
            these are the cost.
        settings: the `search` section.
        choices: the choice layers of each component.
        loss: the task's loss.
        halves: the two data streams.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: DifferentiableSearch,
        choices: Mapping[str, Sequence[ChoiceLayer]],
        loss: Loss,
        halves: tuple[BatchStream, BatchStream],
    ) -> None:
        super().__init__(model, settings, choices, loss, halves)
        self._all = [layer for layers in choices.values() for layer in layers]

    def penalty(self) -> Tensor:
        """λ times the cost of what the loss's pass mixed, all components (Eq. 6 and 7): GMACs, or ms."""
        mixed = mixed_milliseconds if self.settings.cost == "latency" else mixed_gmacs
        return self.settings.cost_weight * mixed(self._all)

    def step(self, iteration: int, data: tuple[Any, Any]) -> dict[str, Tensor | float]:
        """One alternation; logs the expected cost."""
        record = super().step(iteration, data)
        with torch.no_grad():
            record["expected_gmacs"] = expected_gmacs(self._all)
            if self.settings.cost == "latency":
                record["expected_milliseconds"] = expected_milliseconds(self._all)
        return record


def search_scores(choices: Mapping[str, Mapping[str, ChoiceLayer]]) -> dict[str, Any]:
    """`scores.json`: per component and layer the probability and the MACs of each candidate.

    And its milliseconds, where the layers know them.
    """
    return {
        "format": 1,
        "components": {
            component: {
                "operations": list(next(iter(layers.values())).names),
                "layers": [
                    {
                        "name": name,
                        "probabilities": layer.probabilities().tolist(),
                        "macs": [int(macs) for macs in layer.macs.tolist()],
                    }
                    | _milliseconds(layer)
                    for name, layer in layers.items()
                ],
            }
            for component, layers in choices.items()
        },
    }


def _milliseconds(layer: ChoiceLayer) -> dict[str, list[float]]:
    known = not layer.milliseconds.isnan().any()
    return {"milliseconds": layer.milliseconds.tolist()} if known else {}


def derive(
    supernet: Architecture, scores: Mapping[str, Any], space: PathSpace | None = None
) -> Architecture:
    """Decode the network: in each layer the operation with the highest score (section 3.3).

    Where that is dearer than the budget it is the network of the greatest Σ log p that keeps it. A search
    over paths names the operation that it chose in each layer itself.

    Args:
        supernet: the architecture that was searched.
        scores: what `search_scores` or `path_scores` gave.
        space: the supernet's paths with their budget, where there is one.

    Returns:
        The architecture; its provenance holds each layer's margin over the best other operation, which is
        negative where that was not chosen.

    Raises:
        ValueError: the scores are not of this supernet.
        DetSearchError: no network keeps the budget.
    """
    chosen: dict[Layer, int] = {}
    layers: dict[Layer, Mapping[str, Any]] = {}
    for component, content in scores["components"].items():
        names = [layer["name"] for layer in content["layers"]]
        if names != list(supernet.blocks(component)):
            raise ValueError(f"the scores' {component} has other layers than the supernet")
        for layer in content["layers"]:
            probabilities = layer["probabilities"]
            best = probabilities.index(max(probabilities))
            if "chosen" in layer:
                best = content["operations"].index(layer["chosen"])
            chosen[component, layer["name"]] = best
            layers[component, layer["name"]] = layer
    if space and not space.keeps_budget(tuple(chosen[layer] for layer in space.layers)):
        chosen = _within(space, layers)
    return decoded(supernet, scores, chosen)


def decoded(
    supernet: Architecture, scores: Mapping[str, Any], chosen: Mapping[Layer, int]
) -> Architecture:
    """The network with the chosen operations.

    Args:
        supernet: the architecture that was searched.
        scores: as of `derive`.
        chosen: by component and layer the number of the operation there.

    Returns:
        The architecture; its provenance holds each layer's margin, as that of `derive`.
    """

    def choose(component: str, name: str, block: Block) -> str:
        return scores["components"][component]["operations"][chosen[component, name]]

    margins: dict[str, dict[str, float]] = {component: {} for component in scores["components"]}
    for component, content in scores["components"].items():
        for layer in content["layers"]:
            others = list(layer["probabilities"])
            taken = others.pop(chosen[component, layer["name"]])
            margins[component][layer["name"]] = taken - max(others, default=0.0)
    derived = supernet.with_operations(choose)
    return derived.model_copy(update={"provenance": {"method": "hit_detector", "margins": margins}})


def _within(space: PathSpace, layers: Mapping[Layer, Mapping[str, Any]]) -> dict[Layer, int]:
    """The most probable operations that keep the space's budget."""
    assert space.budget is not None
    with np.errstate(divide="ignore"):
        values = [np.log(np.array(layers[layer]["probabilities"])) for layer in space.layers]
    path = best_within(values, space.macs, space.budget - space.fixed)
    if path is None:
        raise DetSearchError(
            f"no architecture keeps search.max_gmacs {space.budget / 1e9:g} with operations whose"
            " probability is not zero: allow more"
        )
    return dict(zip(space.layers, path, strict=True))
