"""The depthwise convolution against torch's own: values, and all gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from pipeline.search_space.depthwise import (
    LARGE_MAP,
    SMALL_MAP,
    DepthwiseConv2d,
    as_matrix_product,
    on_submaps,
)

SIDES = st.integers(1, 20)


@pytest.mark.parametrize("compute", [on_submaps, as_matrix_product])
@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([3, 5, 7]),
    dilation=st.integers(1, 3),
    stride=st.sampled_from([1, 2]),
    height=SIDES,
    width=SIDES,
)
def test_it_is_torchs_convolution(compute, kernel, dilation, stride, height, width):
    torch.manual_seed(kernel * 100 + dilation)
    weight = torch.randn(5, 1, kernel, kernel, dtype=torch.double, requires_grad=True)
    image = torch.randn(2, 5, height, width, dtype=torch.double, requires_grad=True)
    padding = dilation * (kernel // 2)
    direct = functional.conv2d(image, weight, None, stride, padding, dilation, groups=5)
    output = compute(image, weight, stride, dilation)
    torch.testing.assert_close(output, direct)
    sensitivity = torch.randn_like(output)
    wanted = torch.autograd.grad((direct * sensitivity).sum(), (image, weight))
    found = torch.autograd.grad((output * sensitivity).sum(), (image, weight))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("side", [int(SMALL_MAP**0.5), 16, int(LARGE_MAP**0.5) + 1])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (5, 1, 3), (7, 1, 1), (5, 2, 2)]
)
def test_the_layer_is_torchs_at_every_size(side, kernel, stride, dilation):
    torch.manual_seed(side)
    layer = DepthwiseConv2d(6, kernel, stride, dilation)
    image = torch.randn(2, 6, side, side)
    direct = functional.conv2d(
        image, layer.weight, None, stride, dilation * (kernel // 2), dilation, groups=6
    )
    torch.testing.assert_close(layer(image), direct, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", [7, 16, int(LARGE_MAP**0.5) + 1])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (3, 1, 2), (5, 1, 3), (7, 1, 1), (5, 2, 2)]
)
def test_the_way_of_a_gpu_is_torchs_convolution_and_keeps_the_layout(
    side, layout, kernel, stride, dilation
):
    """All of it can be computed on a CPU, where it is not the fastest."""
    torch.manual_seed(side)
    layer = DepthwiseConv2d(6, kernel, stride, dilation).to(memory_format=layout)
    image = torch.randn(2, 6, side, side).to(memory_format=layout)
    direct = functional.conv2d(
        image, layer.weight, None, stride, dilation * (kernel // 2), dilation, groups=6
    )
    output = layer.on_gpu(image)
    torch.testing.assert_close(output, direct, atol=1e-5, rtol=1e-5)
    assert output.is_contiguous(memory_format=layout)
