"""Single layers, forward and backward: layouts, precisions, kernels, and three batch normalisations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu import models
from benchmarks.gpu.bench import Bench, determinism, without_tf32
from benchmarks.gpu.report import Row

NCHW, NHWC = torch.contiguous_format, torch.channels_last
LAYOUTS = {"NCHW": NCHW, "NHWC": NHWC}
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}

Shape = tuple[int, int, int, int]
LARGE, ROIS = (4, 768, 200, 304), (2048, 768, 7, 7)
"""Of a block that expands to 768 channels: on the first map of the pyramid, and on RoIs."""
SMALL = (2, 8, 21, 20)
"""Of a quick try; no multiple of 2 or 3 high."""
KERNELS = ((3, 1), (5, 1), (7, 1), (3, 2), (5, 2), (3, 3), (5, 3))
"""Kernel and dilation of the depthwise convolutions."""
SAME = 1e-4
"""How far sums in another order may be apart, relative to the largest number."""


def layers(bench: Bench) -> None:
    """Report every table."""
    with determinism(True):
        for shape in (SMALL,) if bench.tiny else (LARGE, ROIS):
            for kernel, dilation in KERNELS:
                _row(bench, _depthwise(bench, shape, kernel, dilation))
        _row(bench, _sub_grids_agree(bench))
        _row(bench, _batch_norms(bench))
        _row(bench, _first_calls(bench))
        _row(bench, _dense(bench))
    with determinism(False):
        shape = SMALL if bench.tiny else LARGE
        for kernel, dilation in ((3, 1), (5, 3)):
            _row(bench, _depthwise(bench, shape, kernel, dilation))
        with _benchmarked():
            _row(bench, _depthwise(bench, shape, 5, 3))
        _row(bench, _dense(bench))


Case = tuple[str, Callable[[], Row]]


def _row(bench: Bench, cases: Iterator[Case]) -> None:
    for name, measure in cases:
        bench.attempt(name, measure)


@contextmanager
def _benchmarked() -> Iterator[None]:
    """Let cudnn try its algorithms at the first call of a shape."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _mode() -> str:
    if torch.are_deterministic_algorithms_enabled():
        return "deterministic"
    tried = torch.backends.cudnn.benchmark
    return "not deterministic, cudnn.benchmark" if tried else "not deterministic"


def _tensors(
    bench: Bench, shape: Shape, precision: torch.dtype, layout: torch.memory_format
) -> tuple[Tensor, Tensor]:
    """An input that wants a gradient, and a gradient of the same shape."""
    made = [
        torch.randn(shape, device=bench.device, dtype=precision).to(memory_format=layout)
        for _ in range(2)
    ]
    return made[0].requires_grad_(), made[1]


def _depthwise(bench: Bench, shape: Shape, kernel: int, dilation: int) -> Iterator[Case]:
    """Milliseconds of a depthwise convolution; a dilated one also as undilated ones of sub-grids."""

    def measure() -> Row:
        row: Row = {"shape": _times(shape)}
        for layout, memory in LAYOUTS.items():
            for precision, dtype in PRECISIONS.items():
                ours = models.DepthwiseConv2d(shape[1], kernel, 1, dilation)
                ours.to(bench.device, dtype, memory_format=memory)  # type: ignore[call-overload]
                module = _torchs(ours)
                x, gradient = _tensors(bench, shape, dtype, memory)
                row[f"{layout} {precision}, ms"] = bench.milliseconds(
                    lambda m=module, x=x, g=gradient: m(x).backward(g)
                )
                if layout == "NHWC":
                    row[f"ours {precision}, ms"] = bench.milliseconds(
                        lambda m=ours, x=x, g=gradient: m(x).backward(g)
                    )
                if dilation > 1 and layout == "NHWC":
                    row[f"sub-grids {precision}, ms"] = bench.milliseconds(
                        lambda m=module, x=x, g=gradient: on_sub_grids(
                            x, m.weight, dilation
                        ).backward(g)
                    )
        return row

    yield f"depthwise k{kernel} d{dilation}, {_mode()}", measure


def _torchs(module: nn.Conv2d) -> nn.Conv2d:
    """The convolution as torch computes it, whatever a subclass does."""
    plain = copy.deepcopy(module)
    plain.__class__ = nn.Conv2d
    return plain


def on_sub_grids(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """A dilated depthwise convolution of stride 1, as an undilated one of d² interleaved sub-grids.

    A kernel of dilation d meets only every d-th row and column, so each of the d² sub-grids is convolved
    by itself: they become images of the batch. The map is padded with zeros to multiples of d, which are
    what the convolution's own padding holds there.

    Args:
        x: (N, C, H, W), channels last.
        weight: (C, 1, k, k), k odd.
        dilation: d.

    Returns:
        (N, C, H, W), channels last.
    """
    images, channels, height, width = x.shape
    kernel, d = weight.shape[-1], dilation
    padded = functional.pad(x, (0, -width % d, 0, -height % d))
    rows, columns = padded.shape[2] // d, padded.shape[3] // d
    grids = (
        padded.permute(0, 2, 3, 1)
        .reshape(images, rows, d, columns, d, channels)
        .permute(2, 4, 0, 1, 3, 5)
        .reshape(d * d * images, rows, columns, channels)
        .permute(0, 3, 1, 2)
    )
    output = functional.conv2d(grids, weight, padding=kernel // 2, groups=channels)
    return (
        output.permute(0, 2, 3, 1)
        .reshape(d, d, images, rows, columns, channels)
        .permute(2, 3, 0, 4, 1, 5)
        .reshape(images, rows * d, columns * d, channels)[:, :height, :width]
        .permute(0, 3, 1, 2)
        # where rows or columns were cut off, the next layer would get a map with gaps
        .contiguous(memory_format=NHWC)
    )


def _sub_grids_agree(bench: Bench) -> Iterator[Case]:
    """The output and both gradients of the sub-grids against the dilated convolution's."""
    shape = SMALL if bench.tiny else (4, 64, 200, 304)
    for kernel, dilation in ((3, 2), (5, 3)):
        case = f"sub-grids against k{kernel} d{dilation}, float32 without TF32"

        def measure(kernel: int = kernel, dilation: int = dilation, case: str = case) -> Row:
            module = _torchs(models.DepthwiseConv2d(shape[1], kernel, 1, dilation))
            module.to(bench.device, memory_format=NHWC)  # type: ignore[call-overload]
            x, gradient = _tensors(bench, shape, torch.float32, NHWC)
            ways: list[list[Tensor]] = []
            with without_tf32():
                for output in (module(x), on_sub_grids(x, module.weight, dilation)):
                    taken = torch.autograd.grad(output, (x, module.weight), gradient)
                    ways.append([output.detach(), *taken])
            row: Row = {"shape": _times(shape)}
            names = ("output", "gradient of the input", "of the weights")
            for name, expected, found in zip(names, *ways, strict=True):
                apart = float((expected - found).abs().max() / expected.abs().max())
                row[f"{name} differs by"] = apart
                if not apart <= SAME:
                    bench.wrong(f"{case}: {name} differs by {apart:.1e}")
            return row

        yield case, measure


def _dense(bench: Bench) -> Iterator[Case]:
    """Milliseconds of dense convolutions; float32 is rounded to TF32, as by default."""
    for inputs, outputs, kernel in ((128, 768, 1), (256, 256, 3)):
        shape = (2, inputs, 20, 20) if bench.tiny else (4, inputs, 200, 304)

        def measure(
            inputs: int = inputs, outputs: int = outputs, kernel: int = kernel, shape: Shape = shape
        ) -> Row:
            row: Row = {"shape": _times(shape)}
            for layout, memory in LAYOUTS.items():
                for precision, dtype in PRECISIONS.items():
                    module = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
                    module.to(bench.device, dtype, memory_format=memory)  # type: ignore[call-overload]
                    x, _ = _tensors(bench, shape, dtype, memory)
                    gradient = torch.randn_like(module(x))
                    row[f"{layout} {precision}, ms"] = bench.milliseconds(
                        lambda m=module, x=x, g=gradient: m(x).backward(g)
                    )
            return row

        yield f"dense {inputs} to {outputs}, k{kernel}, {_mode()}", measure


def _batch_norms(bench: Bench) -> Iterator[Case]:
    """Torch's own; ours of several processes, without the all-reduces; torch's synchronised kernels."""
    shape = SMALL if bench.tiny else LARGE

    def measure(
        precision: torch.dtype,
        memory: torch.memory_format,
        make: Callable[[nn.BatchNorm2d, Tensor, Tensor], Callable[[], Any]],
    ) -> Row:
        norm = nn.BatchNorm2d(shape[1]).to(bench.device)
        x, gradient = _tensors(bench, shape, precision, memory)
        timing = bench.timed(make(norm, x, gradient))
        return {"shape": _times(shape), "ms": 1e3 * timing.later, "peak, GiB": timing.peak}

    def native(norm: nn.BatchNorm2d, x: Tensor, gradient: Tensor) -> Callable[[], Any]:
        return lambda: norm(x).backward(gradient)

    for layout, memory in LAYOUTS.items():
        yield (
            f"batch norm, torch's own, {layout} float32",
            lambda memory=memory: measure(torch.float32, memory, native),
        )
        with models.shared_batch_norm_alone() as shared:

            def ours(
                norm: nn.BatchNorm2d, x: Tensor, gradient: Tensor, shared: Any = shared
            ) -> Callable[[], Any]:
                running = (norm.running_mean, norm.running_var)
                affine = (norm.weight, norm.bias)
                return lambda: shared(x, running, affine, 0.1, 1e-5).backward(gradient)

            yield (
                f"batch norm, ours of several processes without all-reduces, {layout} float32",
                lambda memory=memory, ours=ours: measure(torch.float32, memory, ours),
            )
        if bench.device.type == "cuda":
            for precision, dtype in PRECISIONS.items():
                yield (
                    f"batch norm, torch's synchronised kernels, {layout} {precision}",
                    lambda dtype=dtype, memory=memory: measure(dtype, memory, _synchronised),
                )


def _synchronised(norm: nn.BatchNorm2d, x: Tensor, gradient: Tensor) -> Callable[[], Any]:
    """The kernels of torch's SyncBatchNorm, which exist on GPUs only, as for one process."""
    x = x.detach()
    weight, bias = norm.weight.detach(), norm.bias.detach()
    elements = torch.full((1,), x.numel() // x.shape[1], device=x.device, dtype=torch.int32)

    def step() -> None:
        mean, scale = torch.batch_norm_stats(x, 1e-5)
        mean, scale = torch.batch_norm_gather_stats_with_counts(
            x,
            mean[None],
            scale[None],
            norm.running_mean,
            norm.running_var,
            0.1,
            1e-5,
            elements.float(),
        )
        torch.batch_norm_elemt(x, weight, bias, mean, scale, 1e-5)
        sums, products, _, _ = torch.batch_norm_backward_reduce(
            gradient, x, mean, scale, weight, True, True, True
        )
        torch.batch_norm_backward_elemt(gradient, x, mean, scale, weight, sums, products, elements)

    return step


def _first_calls(bench: Bench) -> Iterator[Case]:
    """What the first call of a shape costs beyond later ones: a supernet's first step has thousands."""
    widths = range(40, 56, 8) if bench.tiny else range(40, 136, 8)

    def measure(layout: torch.memory_format, make: Callable[[int], nn.Module]) -> Row:
        first = later = 0.0
        for width in widths:
            module = make(width)
            module.to(bench.device, memory_format=layout)  # type: ignore[call-overload]
            x, gradient = _tensors(bench, (2, width, 26, 38), torch.float32, layout)
            timing = bench.timed(lambda m=module, x=x, g=gradient: m(x).backward(g))
            first, later = first + timing.first, later + timing.later
        count = len(widths)
        return {
            "shapes": count,
            "first call, ms": 1e3 * first / count,
            "later call, ms": 1e3 * later / count,
        }

    kinds: dict[str, Callable[[int], nn.Module]] = {
        "dense k1": lambda width: nn.Conv2d(width, width, 1, bias=False),
        "dense k3": lambda width: nn.Conv2d(width, width, 3, padding=1, bias=False),
        "depthwise k5 d1": lambda width: models.DepthwiseConv2d(width, 5, 1, 1),
        "depthwise k5 d3": lambda width: models.DepthwiseConv2d(width, 5, 1, 3),
    }
    for kind, make in kinds.items():
        for layout, memory in LAYOUTS.items():
            yield (
                f"first call of a shape, {kind}, {layout}",
                lambda memory=memory, make=make: measure(memory, make),
            )


def _times(shape: Shape) -> str:
    return "×".join(map(str, shape))
