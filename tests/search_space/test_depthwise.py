"""The depthwise convolution against torch's own: values, and all gradients."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from pipeline.search_space.depthwise import SMALLEST_SIDE, DepthwiseConv2d


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([3, 5, 7]),
    dilation=st.integers(1, 3),
    stride=st.sampled_from([1, 2]),
    height=st.integers(SMALLEST_SIDE - 3, SMALLEST_SIDE + 9),
    width=st.integers(SMALLEST_SIDE - 3, SMALLEST_SIDE + 9),
)
def test_it_is_torchs_convolution(kernel, dilation, stride, height, width):
    torch.manual_seed(kernel * 100 + dilation)
    layer = DepthwiseConv2d(5, kernel, stride, dilation).double()
    image = torch.randn(2, 5, height, width, dtype=torch.double, requires_grad=True)
    direct = functional.conv2d(
        image,
        layer.weight,
        stride=stride,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        groups=5,
    )
    output = layer(image)
    torch.testing.assert_close(output, direct)
    weights = torch.randn_like(output)
    wanted = torch.autograd.grad((direct * weights).sum(), (image, layer.weight))
    found = torch.autograd.grad((output * weights).sum(), (image, layer.weight))
    torch.testing.assert_close(found, wanted)
