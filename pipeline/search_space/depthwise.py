"""A depthwise convolution that is not slow, on a CPU or on a GPU.

The convolution kernels for CPUs are slow where a kernel is dilated (ten times an undilated one in the
backward pass), most of all on maps of a few pixels, such as RoI features, and there with large kernels,
too. The same sums are taken in another order here; `benchmarks/depthwise.py` prints what that gains.

On a GPU, channels last is 3 to 5 times faster than NCHW for undilated kernels of 3 and 5, and up to 9 times
slower for dilated ones, and for one of 7 in float32 (docs/reference/gpu.md): these go another way, too.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, channels_last, nn
from torch.nn import functional

SMALL_MAP = 49
"""Pixels of a map up to which a matrix product per channel is faster than a convolution."""
LARGE_MAP = 512
"""Pixels of a map from which on taking it apart costs less than dilation does."""
LARGE_KERNEL = 7
"""Kernel from which on a GPU's float32 convolution is slow in channels last."""


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution that keeps the size at stride 1.

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
        return self.on_cpu(input) if input.device.type == "cpu" else self.on_gpu(input)

    def on_cpu(self, input: Tensor) -> Tensor:
        """As it is fastest on a CPU."""
        stride, dilation = self.stride[0], self.dilation[0]
        pixels = input.shape[-2] * input.shape[-1]
        if pixels <= SMALL_MAP and (dilation > 1 or self.kernel_size[0] > 3):
            return as_matrix_product(input, self.weight, stride, dilation)
        if pixels >= LARGE_MAP and dilation > 1:
            return on_submaps(input, self.weight, stride, dilation)
        return super().forward(input)

    def on_gpu(self, input: Tensor) -> Tensor:
        """As it is fastest on a GPU; an input in channels last keeps its layout."""
        stride, dilation = self.stride[0], self.dilation[0]
        if not input.is_contiguous(memory_format=channels_last):
            return super().forward(input)
        if dilation > 1 and input.shape[-2] * input.shape[-1] >= LARGE_MAP:
            return on_submaps(input, self.weight, stride, dilation)
        large = self.kernel_size[0] >= LARGE_KERNEL and input.dtype == torch.float32
        return self._channels_first(input) if dilation > 1 or large else super().forward(input)

    def _channels_first(self, input: Tensor) -> Tensor:
        """The same in NCHW, for an input in channels last, which the output is in, too."""
        # the strides, too, must say NCHW: those of a (C, 1, k, k) tensor fit both, and torch asks them
        weight = self.weight.flatten().view(self.weight.shape)
        output = functional.conv2d(
            input.contiguous(), weight, None, self.stride, self.padding, self.dilation, self.groups
        )
        return output.contiguous(memory_format=channels_last)


def on_submaps(input: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """A dilated depthwise convolution as one undilated convolution of d² interleaved submaps.

    Output row i = d·q + r takes the padded input's rows s·i + d·t = s·r + d·(s·q + t) for the taps t:
    those of one r lie on the submap of every d-th row from s·r on, and are an undilated convolution of
    stride s there.

    Args:
        input: (N, C, H, W).
        weight: (C, 1, k, k), k odd.
        stride: s.
        dilation: d.

    Returns:
        (N, C, ceil(H / s), ceil(W / s)).
    """
    samples, channels, height, width = input.shape
    kernel = weight.shape[-1]
    rows, columns = -(-height // stride), -(-width // stride)
    # of each submap's output, and of what it reads
    high, wide = -(-rows // dilation), -(-columns // dilation)
    reads_high, reads_wide = stride * (high - 1) + kernel, stride * (wide - 1) + kernel
    # the last submap begins at row s·(d - 1), and reads every d-th row
    before = dilation * (kernel // 2)
    below = stride * (dilation - 1) + dilation * (reads_high - 1) + 1 - height - before
    right = stride * (dilation - 1) + dilation * (reads_wide - 1) + 1 - width - before
    padded = functional.pad(input, (before, max(right, 0), before, max(below, 0)))
    submaps = torch.cat(
        [
            padded[
                :,
                :,
                top : top + dilation * (reads_high - 1) + 1 : dilation,
                left : left + dilation * (reads_wide - 1) + 1 : dilation,
            ]
            for top in range(0, stride * dilation, stride)
            for left in range(0, stride * dilation, stride)
        ]
    )
    output = functional.conv2d(
        submaps.contiguous(memory_format=channels_last), weight, stride=stride, groups=channels
    )
    return (
        output.reshape(dilation, dilation, samples, channels, high, wide)
        .permute(2, 3, 4, 0, 5, 1)
        .reshape(samples, channels, high * dilation, wide * dilation)[..., :rows, :columns]
        .contiguous(memory_format=channels_last)
    )


def as_matrix_product(input: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """A depthwise convolution of a small map: each channel's pixels times a matrix of its weights.

    Args:
        input: (N, C, H, W).
        weight: (C, 1, k, k), k odd.
        stride: of the convolution.
        dilation: of the kernel.

    Returns:
        (N, C, ceil(H / stride), ceil(W / stride)).
    """
    samples, channels, height, width = input.shape
    rows, columns = -(-height // stride), -(-width // stride)
    places = _places(height, width, weight.shape[-1], stride, dilation).to(weight.dtype)
    matrices = (weight.flatten(1) @ places).view(channels, height * width, rows * columns)
    # in channels last a channel's pixels lie apart, and the product would copy them channel by channel: the
    # input forwards, and backwards the gradient
    pixels = input.flatten(2).transpose(0, 1).contiguous()
    output = torch.bmm(pixels, matrices)
    if output.requires_grad:
        output.register_hook(Tensor.contiguous)
    return (
        output.transpose(0, 1)
        .reshape(samples, channels, rows, columns)
        .contiguous(memory_format=channels_last)
    )


@lru_cache(maxsize=64)
def _places(height: int, width: int, kernel: int, stride: int, dilation: int) -> Tensor:
    """Which weight joins which input pixel to which output pixel: (k², H·W·H'·W') of zeros and ones."""

    def along(size: int) -> Tensor:
        """(k, size, ceil(size / stride)): the same for one axis."""
        taps = dilation * (torch.arange(kernel) - kernel // 2)
        reads = stride * torch.arange(-(-size // stride)) + taps[:, None]
        return (reads[:, None, :] == torch.arange(size)[None, :, None]).float()

    joined = torch.einsum("tyi,uxj->tuyxij", along(height), along(width))
    return joined.reshape(kernel * kernel, -1)
