"""The candidate operations of Hit-Detector: one implementation for supernets and derived networks."""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.search_space.depthwise import DepthwiseConv2d
from pipeline.search_space.names import OperationSpec


class Operation(nn.Sequential):
    """A candidate operation: a chain of convolutions, with a skip connection where shapes match.

    Input (N, in_channels, H, W), output (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, layers: dict[str, nn.Module], skip: bool) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.skip = skip

    def forward(self, input: Tensor) -> Tensor:
        """Apply the chain, and add the input where `skip` is set."""
        output = super().forward(input)
        return output + input if self.skip else output


def build_operation(name: str, in_channels: int, out_channels: int, stride: int = 1) -> Operation:
    """Build one operation by name (Hit-Detector, Figure 2).

    `ir`: 1×1 expand, k×k depthwise (dilated), 1×1 project, BN after each, ReLU after the first two.
    `sep`: k×k depthwise, BN, ReLU, 1×1, BN. `conv`: k×k, BN, ReLU. The stride is that of the k×k
    convolution; padding keeps the size at stride 1.

    Raises:
        ValueError: the name is not an operation's.
    """
    spec = OperationSpec.parse(name)
    middle = in_channels * spec.expansion
    padding = spec.dilation * (spec.kernel // 2)

    layers: dict[str, nn.Module]
    if spec.kind == "ir":
        layers = {
            "expand": nn.Conv2d(in_channels, middle, 1, bias=False),
            "expand_bn": nn.BatchNorm2d(middle),
            "expand_relu": nn.ReLU(inplace=True),
            "depthwise": DepthwiseConv2d(middle, spec.kernel, stride, spec.dilation),
            "depthwise_bn": nn.BatchNorm2d(middle),
            "depthwise_relu": nn.ReLU(inplace=True),
            "project": nn.Conv2d(middle, out_channels, 1, bias=False),
            "project_bn": nn.BatchNorm2d(out_channels),
        }
    elif spec.kind == "sep":
        layers = {
            "depthwise": DepthwiseConv2d(in_channels, spec.kernel, stride, spec.dilation),
            "depthwise_bn": nn.BatchNorm2d(in_channels),
            "depthwise_relu": nn.ReLU(inplace=True),
            "project": nn.Conv2d(in_channels, out_channels, 1, bias=False),
            "project_bn": nn.BatchNorm2d(out_channels),
        }
    else:
        layers = {
            "conv": nn.Conv2d(
                in_channels, out_channels, spec.kernel, stride, padding, spec.dilation, bias=False
            ),
            "bn": nn.BatchNorm2d(out_channels),
            "relu": nn.ReLU(inplace=True),
        }
    return Operation(layers, skip=in_channels == out_channels and stride == 1)
