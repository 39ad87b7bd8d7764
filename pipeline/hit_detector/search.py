"""End-to-end search of backbone, neck and head (Hit-Detector, sections 3.3 and 3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.config.hit_detector import SearchConfig
from pipeline.hit_detector.alternation import AlternatingTask, Loss
from pipeline.hit_detector.objective import expected_gmacs
from pipeline.search_space.architecture import Architecture, Block
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.stream import BatchStream


class TrinitySearch(AlternatingTask[SearchConfig]):
    """Minimises L_det + λ (C(α) + C(β) + C(γ)) over the architecture parameters (Eq. 6).

    Args:
        model: the supernet, whose choice layers know their candidates' MACs.
        settings: the `search` section.
        choices: the choice layers of each component.
        loss: the task's loss.
        halves: the two data streams.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: SearchConfig,
        choices: Mapping[str, Sequence[ChoiceLayer]],
        loss: Loss,
        halves: tuple[BatchStream, BatchStream],
    ) -> None:
        super().__init__(model, settings, choices, loss, halves)
        self._all = [layer for layers in choices.values() for layer in layers]

    def penalty(self) -> Tensor:
        """λ times the expected cost of all components, in GMACs (Eq. 6 and 7)."""
        return self.settings.cost_weight * expected_gmacs(self._all)

    def step(self, iteration: int, data: tuple[Any, Any]) -> dict[str, Tensor | float]:
        """One alternation; logs the expected cost."""
        record = super().step(iteration, data)
        with torch.no_grad():
            record["expected_gmacs"] = expected_gmacs(self._all)
        return record


def search_scores(choices: Mapping[str, Mapping[str, ChoiceLayer]]) -> dict[str, Any]:
    """`scores.json`: per component and layer the probability and the MACs of each candidate."""
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
                    for name, layer in layers.items()
                ],
            }
            for component, layers in choices.items()
        },
    }


def derive(supernet: Architecture, scores: Mapping[str, Any]) -> Architecture:
    """Decode the network: in each layer the operation with the highest score (section 3.3).

    Args:
        supernet: the architecture that was searched.
        scores: what `search_scores` gave.

    Returns:
        The architecture; its provenance holds each layer's margin over the runner-up.

    Raises:
        ValueError: the scores are not of this supernet.
    """
    chosen: dict[tuple[str, str], str] = {}
    margins: dict[str, dict[str, float]] = {}
    for component, content in scores["components"].items():
        names = [layer["name"] for layer in content["layers"]]
        if names != list(supernet.blocks(component)):
            raise ValueError(f"the scores' {component} has other layers than the supernet")
        margins[component] = {}
        for layer in content["layers"]:
            ranked = sorted(
                zip(layer["probabilities"], content["operations"], strict=True),
                key=lambda pair: -pair[0],
            )
            chosen[component, layer["name"]] = ranked[0][1]
            runner_up = ranked[1][0] if len(ranked) > 1 else 0.0
            margins[component][layer["name"]] = ranked[0][0] - runner_up

    def choose(component: str, name: str, block: Block) -> str:
        return chosen[component, name]

    derived = supernet.with_operations(choose)
    return derived.model_copy(update={"provenance": {"method": "hit_detector", "margins": margins}})
