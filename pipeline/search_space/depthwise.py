"""A depthwise convolution whose dilated case is not slow on a CPU."""

from __future__ import annotations

from torch import Tensor, channels_last, nn
from torch.nn import functional

SMALLEST_SIDE = 16
"""Maps with a shorter side are convolved as they are: taking them apart costs more than it saves."""


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution that keeps the size at stride 1.

    On a CPU the backward pass of a dilated depthwise convolution takes ten times that of an
    undilated one. Dilation d at stride 1 is d² undilated convolutions on the d² interleaved
    submaps, so there it is computed so: the same sums, in half the time of a training step.

    Args:
        channels: of input and output.
        kernel: odd.
        stride: of the convolution.
        dilation: of the kernel.
    """

    def __init__(self, channels: int, kernel: int, stride: int, dilation: int) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        )

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, ceil(H / stride), ceil(W / stride))."""
        apart = (
            input.device.type == "cpu"
            and self.dilation[0] > 1
            and self.stride[0] == 1
            and min(input.shape[-2:]) >= SMALLEST_SIDE
        )
        return self._on_submaps(input) if apart else super().forward(input)

    def _on_submaps(self, input: Tensor) -> Tensor:
        samples, channels, height, width = input.shape
        step = self.dilation[0]
        rows, columns = -(-height // step), -(-width // step)
        # zeros beyond the border are what the padding of the dilated convolution sees there
        padded = functional.pad(input, (0, columns * step - width, 0, rows * step - height))
        submaps = (
            padded.reshape(samples, channels, rows, step, columns, step)
            .permute(3, 5, 0, 1, 2, 4)
            .reshape(step * step * samples, channels, rows, columns)
            .contiguous(memory_format=channels_last)
        )
        output = functional.conv2d(
            submaps, self.weight, padding=self.kernel_size[0] // 2, groups=channels
        )
        return (
            output.reshape(step, step, samples, channels, rows, columns)
            .permute(2, 3, 4, 0, 5, 1)
            .reshape(samples, channels, rows * step, columns * step)[..., :height, :width]
            .contiguous(memory_format=channels_last)
        )
