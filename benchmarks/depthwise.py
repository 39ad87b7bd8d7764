"""Time of depthwise convolutions on the CPU, forward and backward: torch's own against ours.

    python -m benchmarks.depthwise [--threads 1]

Each line is one convolution out of the embedded search; the last column is torch : ours.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor, nn
from torch.nn import functional

import pipeline  # noqa: F401
from pipeline.search_space.depthwise import DepthwiseConv2d

SHAPES = (
    # samples, channels, side, kernel, stride, dilation
    (128, 96, 5, 5, 1, 3),
    (128, 96, 7, 3, 1, 3),
    (128, 32, 5, 7, 1, 1),
    (128, 96, 5, 3, 1, 1),
    (4, 48, 64, 5, 2, 3),
    (4, 96, 32, 5, 1, 2),
    (4, 96, 32, 3, 1, 3),
    (4, 96, 16, 5, 1, 3),
)
REPETITIONS = 12


class Direct(DepthwiseConv2d):
    """The same layer as torch computes it."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, ceil(H / stride), ceil(W / stride))."""
        return functional.conv2d(
            input, self.weight, None, self.stride, self.padding, self.dilation, self.groups
        )


def seconds(layer: nn.Module, input: Tensor) -> float:
    """Of one forward and backward pass: the second fastest of some, for other work slows the rest."""
    passes = []
    for _ in range(REPETITIONS):
        input.grad = None
        began = time.perf_counter()
        output = layer(input)
        output.backward(torch.ones_like(output))
        passes.append(time.perf_counter() - began)
    return sorted(passes)[1]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.depthwise", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    torch.manual_seed(0)
    print("samples channels side kernel stride dilation   torch ms   ours ms   ratio")
    for samples, channels, side, kernel, stride, dilation in SHAPES:
        input = torch.randn(samples, channels, side, side)
        input = input.contiguous(memory_format=torch.channels_last).requires_grad_()
        direct, ours = (
            seconds(kind(channels, kernel, stride, dilation), input)
            for kind in (Direct, DepthwiseConv2d)
        )
        print(
            f"{samples:7} {channels:8} {side:4} {kernel:6} {stride:6} {dilation:8}"
            f" {1e3 * direct:10.1f} {1e3 * ours:9.1f} {direct / ours:7.1f}"
        )


if __name__ == "__main__":
    main()
