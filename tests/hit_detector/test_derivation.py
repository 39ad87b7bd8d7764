"""From scores to a network: the best operation of each layer, and the margin to the next."""

from typing import Any

import pytest
import torch

from pipeline.config.supernet import SupernetConfig
from pipeline.hit_detector.search import derive, search_scores
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.supernet.choice import ChoiceLayer

OPERATIONS = {
    "backbone": ("conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1"),
    "neck": ("sep_k5_d1", "conv_k5_d2"),
    "head": ("ir_k7_d1_e6",),
}


@pytest.fixture
def supernet() -> Architecture:
    return supernet_architecture(SupernetConfig(head_blocks=2), 3, (1, 1, 2, 1), OPERATIONS)


def _scores(supernet: Architecture) -> dict[str, Any]:
    """Probabilities that make another operation win from layer to layer."""
    components = {}
    for component in COMPONENTS:
        count = len(OPERATIONS[component])
        layers = []
        for number, name in enumerate(supernet.blocks(component)):
            weights = [1 + (index + number) % count for index in range(count)]
            probabilities = [weight / sum(weights) for weight in weights]
            layers.append({"name": name, "probabilities": probabilities, "macs": [1] * count})
        components[component] = {"operations": list(OPERATIONS[component]), "layers": layers}
    return {"format": 1, "components": components}


def test_the_highest_score_of_each_layer_wins(supernet: Architecture) -> None:
    network = derive(supernet, _scores(supernet))
    assert not network.is_supernet
    # of weights 1, 2, 3 shifted by the layer's number the winner moves backwards
    assert [block.operation for block in network.blocks("backbone").values()] == [
        "ir_k3_d1_e1",
        "sep_k3_d1",
        "conv_k3_d1",
        "ir_k3_d1_e1",
        "sep_k3_d1",
    ]
    assert [block.operation for block in network.blocks("neck").values()] == [
        "conv_k5_d2",
        "sep_k5_d1",
    ] * 4
    assert {block.operation for block in network.blocks("head").values()} == {"ir_k7_d1_e6"}
    margins = network.provenance["margins"]
    assert list(margins["backbone"]) == list(supernet.blocks("backbone"))
    assert list(margins["backbone"].values()) == pytest.approx([1 / 6] * 5)
    assert list(margins["neck"].values()) == pytest.approx([1 / 3] * 8)
    # one candidate has no runner-up
    assert list(margins["head"].values()) == [1, 1]


def test_everything_but_the_operations_stays(supernet: Architecture) -> None:
    network = derive(supernet, _scores(supernet))
    restored = network.with_operations(lambda component, *_: OPERATIONS[component])
    assert restored.model_copy(update={"provenance": {}}) == supernet


def test_scores_of_another_supernet_are_refused(supernet: Architecture) -> None:
    scores = _scores(supernet)
    scores["components"]["neck"]["layers"].pop()
    with pytest.raises(ValueError, match="neck has other layers"):
        derive(supernet, scores)


def test_search_scores_are_what_the_layers_say() -> None:
    layers = {name: ChoiceLayer(OPERATIONS["backbone"], 1, 1) for name in ("a", "b")}
    for number, layer in enumerate(layers.values()):
        layer.alpha.data = torch.tensor([0.0, number, 2.0])
        layer.macs.copy_(torch.tensor([10.0, 20.0, 30.0 + number]))
    content = search_scores({"backbone": layers})["components"]["backbone"]
    assert content["operations"] == list(OPERATIONS["backbone"])
    assert [layer["name"] for layer in content["layers"]] == ["a", "b"]
    for number, layer in enumerate(content["layers"]):
        expected = torch.tensor([0.0, number, 2.0]).softmax(0).tolist()
        assert layer["probabilities"] == pytest.approx(expected)
        assert layer["macs"] == [10, 20, 30 + number]
        assert "milliseconds" not in layer
    for layer in layers.values():
        layer.milliseconds.copy_(torch.tensor([0.5, 0.25, 2.0]))
    content = search_scores({"backbone": layers})["components"]["backbone"]
    assert [layer["milliseconds"] for layer in content["layers"]] == [[0.5, 0.25, 2.0]] * 2
