"""Recomputing candidates in the backward pass gives what storing them gives, in less memory."""

import copy

import pytest
import torch
from torch import Tensor, nn

from pipeline.detection.builder import set_execution
from pipeline.supernet.choice import ChoiceLayer, Execution

NAMES = (
    "ir_k3_d1_e3",
    "ir_k5_d2_e6",
    "ir_k7_d1_e1",
    "sep_k3_d1",
    "sep_k5_d3",
    "conv_k3_d1",
    "conv_k5_d2",
    "ir_k3_d3_e1",
)


def _network() -> nn.Sequential:
    torch.manual_seed(3)
    network = nn.Sequential(
        ChoiceLayer(NAMES, 3, 6, 2), ChoiceLayer(NAMES, 6, 6), ChoiceLayer(NAMES, 6, 8, 2)
    )
    for layer in network:
        assert isinstance(layer, ChoiceLayer)
        layer.alpha.data.normal_()
    return network


def _pair() -> dict[Execution, nn.Sequential]:
    """The same network twice, run in the two ways."""
    stored = _network()
    pair: dict[Execution, nn.Sequential] = {"store": stored, "recompute": copy.deepcopy(stored)}
    for execution, network in pair.items():
        set_execution(network, execution, None)
    return pair


def _batches(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(4, 3, 16, 12, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("trained", ["everything", "weights", "alpha"])
@pytest.mark.parametrize("paths", [None, 3])
def test_outputs_gradients_and_statistics_agree_after_training_steps(
    trained: str, paths: int | None
) -> None:
    outputs: dict[str, list[Tensor]] = {}
    gradients: dict[str, dict[str, Tensor | None]] = {}
    pair = _pair()
    for execution, network in pair.items():
        set_execution(network, execution, paths)
        for name, parameter in network.named_parameters():
            wanted = trained == "everything" or (trained == "alpha") == name.endswith("alpha")
            parameter.requires_grad_(wanted)
        learned = [p for p in network.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(learned, lr=1e-3)
        outputs[execution] = []
        torch.manual_seed(7)
        for batch in _batches(3):
            output = network(batch)
            optimizer.zero_grad()
            output.square().mean().backward()
            optimizer.step()
            outputs[execution].append(output.detach())
        gradients[execution] = {name: p.grad for name, p in network.named_parameters()}
    torch.testing.assert_close(outputs["recompute"], outputs["store"], rtol=1e-5, atol=1e-5)
    some = [grad for grad in gradients["store"].values() if grad is not None]
    assert sum(float(grad.abs().sum()) for grad in some) > 0
    for name, expected in gradients["store"].items():
        actual = gradients["recompute"][name]
        assert (actual is None) == (expected is None), name
        if actual is not None and expected is not None:
            torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5, msg=name)
    recomputed, stored = (pair[execution].state_dict() for execution in ("recompute", "store"))
    assert recomputed.keys() == stored.keys()
    for name, expected in stored.items():
        if name.endswith("num_batches_tracked"):
            assert recomputed[name] == expected, name
            assert paths is not None or expected == 3
        else:
            torch.testing.assert_close(recomputed[name], expected, rtol=1e-5, atol=1e-5, msg=name)


def test_running_statistics_are_bit_identical_after_one_step() -> None:
    states = {}
    for execution, network in _pair().items():
        network(_batches(1)[0]).square().mean().backward()
        states[execution] = network.state_dict()
    for name, expected in states["store"].items():
        if "running" in name or "tracked" in name:
            assert torch.equal(states["recompute"][name], expected), name


def test_evaluation_leaves_the_statistics_alone() -> None:
    network = _pair()["recompute"].eval()
    before = copy.deepcopy(network.state_dict())
    batch = _batches(1)[0].requires_grad_()
    network(batch).square().mean().backward()
    assert batch.grad is not None and batch.grad.abs().sum() > 0
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def _kept_bytes(network: nn.Module, input: Tensor) -> int:
    """Bytes of the storages that the backward pass of a forward pass would read, weights aside."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = network(input)
    # the graph, and with it every storage that was counted, lives until here
    output.sum().backward()
    return sum(kept.values())


def test_recomputation_keeps_less_than_a_third() -> None:
    input = torch.randn(2, 3, 32, 32)
    pair = _pair()
    stored, recomputed = (_kept_bytes(pair[e], input) for e in ("store", "recompute"))
    # the first layer's input at least is needed by both
    assert input.nbytes <= recomputed < stored / 3
