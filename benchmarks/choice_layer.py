"""What recomputation and path sampling save against the naive choice layer that stores everything.

Prints ratios naive : ours. Time and memory of a training step on this machine's CPU for one layer,
and the memory that a whole backbone keeps for the backward pass at the paper's full scale, counted
on meta tensors (32 candidates in every layer, 2 images of 800 × 1216, float32).
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor, nn

from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import build_backbone, set_execution
from pipeline.hit_detector.spaces import screening_architecture
from pipeline.search_space.names import CANDIDATES
from pipeline.supernet.choice import ChoiceLayer, Execution


def kept_bytes(module: nn.Module, images: Tensor) -> tuple[float, Tensor]:
    """Bytes of storage that autograd keeps after a forward pass, parameters left out."""
    own = {parameter.untyped_storage()._cdata for parameter in module.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = module(images)
    output = output[-1] if isinstance(output, tuple) else output
    return float(sum(kept.values())), output


def step_seconds(layer: ChoiceLayer, images: Tensor, repeats: int) -> float:
    """Median seconds of a forward and backward pass."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        layer(images).sum().backward()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    cases: tuple[tuple[str, Execution, int | None], ...] = (
        ("store all", "store", None),
        ("recompute all", "recompute", None),
        ("4 paths, store", "store", 4),
        ("4 paths, recompute", "recompute", 4),
    )
    torch.manual_seed(0)
    layer = ChoiceLayer(CANDIDATES, 48, 48)
    images = torch.randn(4, 48, 32, 32)
    print("one layer, 48 channels, 4 maps of 32 × 32, on the CPU (naive : ours)")
    naive_time = naive_bytes = 0.0
    for name, execution, paths in cases:
        layer.execution, layer.paths = execution, paths
        seconds = step_seconds(layer, images, repeats)
        kept, _ = kept_bytes(layer, images)
        naive_time, naive_bytes = naive_time or seconds, naive_bytes or kept
        print(f"  {name:20} time {naive_time / seconds:6.2f}   memory {naive_bytes / kept:6.1f}")

    print("backbone supernet at half depth, 2 images of 800 × 1216, on meta tensors")
    architecture = screening_architecture(SupernetConfig(), CANDIDATES)
    with torch.device("meta"):
        backbone = build_backbone(architecture)
        images = torch.empty(2, 3, 800, 1216)
    naive_bytes = 0.0
    for name, execution, paths in cases:
        set_execution(backbone, execution, paths)
        if paths is not None:
            continue  # what sampling draws differs from step to step
        kept, _ = kept_bytes(backbone, images)
        naive_bytes = naive_bytes or kept
        print(f"  {name:20} keeps {kept / 2**30:7.2f} GiB   ratio {naive_bytes / kept:6.1f}")


if __name__ == "__main__":
    main()
