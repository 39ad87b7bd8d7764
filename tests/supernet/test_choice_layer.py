"""The choice layer: the sum of Eq. 5, removal, paths, and what a checkpoint restores."""

import pytest
import torch
from torch import Tensor, nn

from pipeline.supernet.choice import ChoiceLayer, build_block, choice_layers, only_path

NAMES = ("ir_k3_d1_e3", "sep_k5_d2", "conv_k3_d1", "ir_k5_d1_e1")


def _layer(*alpha: float, channels: int = 4) -> ChoiceLayer:
    torch.manual_seed(0)
    layer = ChoiceLayer(NAMES, 4, channels)
    if alpha:
        layer.alpha.data = torch.tensor(alpha)
    return layer


def test_the_output_is_the_weighted_sum_of_all_candidates() -> None:
    layer = _layer(0.5, -1.0, 2.0, 0.0).double().eval()
    input = torch.randn(2, 4, 6, 5, dtype=torch.float64)
    exponentials = [2.718281828459045**value for value in (0.5, -1.0, 2.0, 0.0)]
    expected = torch.zeros_like(input)
    for name, exponential in zip(NAMES, exponentials, strict=True):
        expected += exponential / sum(exponentials) * layer.candidates[name](input)
    torch.testing.assert_close(layer(input), expected, rtol=0, atol=1e-6)
    layer.train()
    assert layer(input).shape == input.shape


def test_all_candidates_begin_with_the_same_probability() -> None:
    assert _layer().probabilities().tolist() == [0.25] * 4


def test_a_removed_candidate_has_no_share_and_no_gradient() -> None:
    layer = _layer(0.5, -1.0, 2.0, 0.0)
    layer.remove(2)
    probabilities = layer.probabilities()
    assert probabilities[2] == 0
    torch.testing.assert_close(
        probabilities[[0, 1, 3]], torch.tensor([0.5, -1.0, 0.0]).softmax(0), rtol=0, atol=1e-7
    )
    ran = _watch(layer)
    layer.macs.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    (layer(torch.randn(2, 4, 6, 6)).square().sum() + layer.expected(layer.macs)).backward()
    assert ran == [NAMES[0], NAMES[1], NAMES[3]]
    assert layer.alpha.grad is not None
    assert layer.alpha.grad[2] == 0
    assert layer.alpha.grad[[0, 1, 3]].abs().min() > 0
    assert all(p.grad is None for p in layer.candidates[NAMES[2]].parameters())


def _watch(layer: ChoiceLayer) -> list[str]:
    """The names of the candidates that run from now on, as they do."""
    ran: list[str] = []
    for name, candidate in layer.candidates.items():
        candidate.register_forward_hook(lambda *_, name=name: ran.append(name))
    return ran


def test_removal_ends_at_one_candidate() -> None:
    layer = _layer()
    layer.remove(1)
    with pytest.raises(ValueError, match=r"'sep_k5_d2' cannot be removed"):
        layer.remove(1)
    layer.remove(0)
    layer.remove(3)
    with pytest.raises(ValueError, match=r"'conv_k3_d1' cannot be removed"):
        layer.remove(2)
    layer.eval()
    input = torch.randn(1, 4, 5, 5)
    assert torch.equal(layer(input), layer.candidates["conv_k3_d1"](input))


def test_expected_macs_by_hand() -> None:
    layer = _layer(0.0, 0.0, 0.0, float(torch.tensor(5.0).log()))
    layer.macs.copy_(torch.tensor([8.0, 16.0, 24.0, 80.0]))
    # probabilities 1/8, 1/8, 1/8, 5/8
    expected = layer.expected(layer.macs)
    assert expected.item() == pytest.approx(6 + 50)
    expected.backward()
    assert layer.alpha.grad is not None
    # d/dα_i = p_i (macs_i - expected)
    assert layer.alpha.grad.tolist() == pytest.approx([-6.0, -5.0, -4.0, 15.0])


def test_a_checkpoint_restores_who_is_alive() -> None:
    trained = _layer(0.5, -1.0, 2.0, 0.0)
    trained.remove(0)
    fresh = _layer()
    fresh.load_state_dict(trained.state_dict())
    ran = _watch(fresh)
    input = torch.randn(1, 4, 5, 5)
    assert torch.equal(fresh.eval()(input), trained.eval()(input))
    assert ran == list(NAMES[1:])
    with pytest.raises(ValueError, match="cannot be removed"):
        fresh.remove(0)
    # the costs are of a place, not of the weights
    assert not {"macs", "milliseconds"} & set(trained.state_dict())


class _Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = build_block(NAMES, 4, 6, 2)
        self.plain = build_block("conv_k3_d1", 6, 6)
        self.last = build_block(NAMES[:2], 6, 6)

    def forward(self, input: Tensor) -> Tensor:
        return self.last(self.plain(self.first(input)))


def test_only_path_restricts_each_layer_and_ends_with_the_context() -> None:
    model = _Two().eval()
    layers = choice_layers(model)
    assert list(layers) == ["first", "last"]
    input = torch.randn(1, 4, 8, 8)
    free = model(input)
    with only_path(model, {"first": NAMES[2], "last": NAMES[1]}):
        chosen = model(input)
        with only_path(model, {"first": NAMES[0], "last": NAMES[0]}):
            assert not torch.equal(model(input), chosen)
        assert torch.equal(model(input), chosen)
    expected = layers["last"].candidates[NAMES[1]](
        model.plain(layers["first"].candidates[NAMES[2]](input))
    )
    assert torch.equal(chosen, expected)
    assert torch.equal(model(input), free)


def test_an_incomplete_path_changes_nothing() -> None:
    model = _Two().eval()
    input = torch.randn(1, 4, 8, 8)
    free = model(input)
    with pytest.raises(KeyError, match="last"), only_path(model, {"first": NAMES[2]}):
        pass
    assert torch.equal(model(input), free)
