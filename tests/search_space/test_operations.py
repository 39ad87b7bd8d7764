"""The 32 candidates: their names, shapes, parameters, receptive fields and skip connections."""

import pytest
import torch
from torch import nn

from pipeline.search_space.names import CANDIDATES, OperationSpec
from pipeline.search_space.operations import build_operation

# typed from the paper's appendix 6.1, row by row
_TABLE = """
ir_k3_d1_e1 ir_k3_d1_e3 ir_k3_d1_e6
ir_k3_d2_e1 ir_k3_d2_e3 ir_k3_d2_e6
ir_k3_d3_e1 ir_k3_d3_e3 ir_k3_d3_e6
ir_k5_d1_e1 ir_k5_d1_e3 ir_k5_d1_e6
ir_k5_d2_e1 ir_k5_d2_e3 ir_k5_d2_e6
ir_k5_d3_e1 ir_k5_d3_e3 ir_k5_d3_e6
ir_k7_d1_e1 ir_k7_d1_e6
sep_k3_d1 sep_k3_d2 sep_k3_d3
sep_k5_d1 sep_k5_d2 sep_k5_d3
conv_k3_d1 conv_k3_d2 conv_k3_d3
conv_k5_d1 conv_k5_d2 conv_k5_d3
"""
APPENDIX = _TABLE.split()


def _numbers(name: str) -> tuple[str, int, int, int]:
    """Kind, kernel, dilation, expansion, read without the code under test."""
    kind, *parts = name.split("_")
    values = {part[0]: int(part[1:]) for part in parts}
    return kind, values["k"], values["d"], values.get("e", 1)


def _parameters_by_hand(name: str, inputs: int, outputs: int) -> int:
    kind, k, _, e = _numbers(name)
    if kind == "ir":
        middle = inputs * e
        return inputs * middle + k * k * middle + middle * outputs + 2 * (2 * middle + outputs)
    if kind == "sep":
        return k * k * inputs + inputs * outputs + 2 * (inputs + outputs)
    return k * k * inputs * outputs + 2 * outputs


def test_the_candidates_are_those_of_the_appendix() -> None:
    assert list(CANDIDATES) == APPENDIX
    assert len(set(CANDIDATES)) == 32


@pytest.mark.parametrize("name", [*APPENDIX, "conv_k1_d1"])
def test_a_name_says_kind_kernel_dilation_and_expansion(name: str) -> None:
    spec = OperationSpec.parse(name)
    assert (spec.kind, spec.kernel, spec.dilation, spec.expansion) == _numbers(name)


@pytest.mark.parametrize(
    "name",
    ["ir_k3_d1", "sep_k3_d1_e3", "conv_k4_d1", "conv_k3_d0", "ir_k3_d1_e0", "pool_k3_d1", ""],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"operation '{name}'"):
        build_operation(name, 4, 4)


@pytest.mark.parametrize("name", APPENDIX)
@pytest.mark.parametrize("stride", [1, 2])
def test_shapes_and_parameters(name: str, stride: int) -> None:
    operation = build_operation(name, 4, 6, stride).eval()
    assert sum(p.numel() for p in operation.parameters()) == _parameters_by_hand(name, 4, 6)
    for height, width in ((9, 8), (1, 2)):
        output = operation(torch.randn(2, 4, height, width))
        # ceil(side / stride)
        assert output.shape == (2, 6, -(-height // stride), -(-width // stride))


@pytest.mark.parametrize("name", APPENDIX)
def test_the_skip_connection_is_there_exactly_where_shapes_match(name: str) -> None:
    input = torch.randn(2, 4, 6, 6)
    for outputs, stride in ((4, 1), (4, 2), (5, 1), (5, 2)):
        operation = build_operation(name, 4, outputs, stride).eval()
        last = [layer for layer in operation if isinstance(layer, nn.BatchNorm2d)][-1]
        nn.init.zeros_(last.weight)
        # a chain that ends in zeros leaves only the skip connection
        output = operation(input)
        if (outputs, stride) == (4, 1):
            assert torch.equal(output, input)
        else:
            assert not output.any()


@pytest.mark.parametrize("name", APPENDIX)
def test_an_output_sees_exactly_the_pixels_of_its_dilated_kernel(name: str) -> None:
    _, kernel, dilation, _ = _numbers(name)
    operation = build_operation(name, 2, 3).eval()
    for parameter in operation.parameters():
        # positive weights on a positive input: no ReLU hides a pixel
        nn.init.constant_(parameter, 0.1)
    input = torch.ones(1, 2, 19, 19, requires_grad=True)
    operation(input)[0, 0, 9, 9].backward()
    assert input.grad is not None
    seen = {tuple(position) for position in input.grad[0, 1].nonzero().tolist()}
    taps = [9 + dilation * (tap - kernel // 2) for tap in range(kernel)]
    assert seen == {(row, column) for row in taps for column in taps}


def test_only_a_plain_convolution_block_ends_in_a_relu() -> None:
    torch.manual_seed(0)
    input = torch.randn(2, 4, 8, 8)
    for name in APPENDIX:
        lowest = build_operation(name, 4, 6).eval()(input).min().item()
        assert (lowest >= 0) == name.startswith("conv"), name
