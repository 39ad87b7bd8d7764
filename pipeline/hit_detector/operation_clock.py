"""Time the operations of a supernet, each by itself."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.config.evaluation import LatencyConfig
from pipeline.deploy.latency import Detect, timed
from pipeline.deploy.layers import exportable
from pipeline.deploy.operators import OPSET
from pipeline.deploy.session import open_session
from pipeline.detection.complexity import Placed, candidate_places
from pipeline.hit_detector.operation_times import OperationTime, OperationTimes
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.cost import operation_cost
from pipeline.search_space.operations import build_operation
from pipeline.training.computing import in_precision

log = logging.getLogger("detsearch")


def measure_operations(
    supernet: Architecture, proposals: int, settings: LatencyConfig, folder: Path, seed: int = 0
) -> OperationTimes:
    """Time every candidate of a supernet at every place that it has, all together, interleaved.

    Of a place that several layers share it is measured once. Its input is there already, on the device: no
    copy is timed.

    Args:
        supernet: places hold at its input size.
        proposals: RoIs that the head processes, in a two-stage detector.
        settings: runtime, device, threads, and rounds: as many as for detectors on that many images.
        folder: an empty one, for exported operations.
        seed: of the orders, and of weights and inputs.

    Raises:
        DetSearchError: the runtime has no such device.
    """
    layers = candidate_places(supernet, proposals).values()
    places = sorted({place for layer in layers for each in layer for place in each})
    torch.manual_seed(seed)
    ready: dict[str, Detect] = {}
    for place in places:
        if settings.runtime == "torch":
            ready[str(place)] = _in_torch(place, settings.device)
        else:
            path = folder / f"{len(ready)}.onnx"
            ready[str(place)] = _in_onnxruntime(place, settings, path)
    log.info("timing %d operations, each at its own shape", len(ready))
    measured = timed(
        ready,
        # every operation has its own input
        [np.zeros((1, 1, 3), np.uint8)],
        runtime=settings.runtime,
        device=settings.device,
        threads=settings.threads,
        rounds=settings.rounds * settings.images,
        seed=seed,
    )
    times = {each.model: each.model_dump(exclude={"model"}) for each in measured.models}
    return OperationTimes(
        **measured.model_dump(exclude={"models", "images"}),
        operations=tuple(
            OperationTime(**place._asdict(), macs=operation_cost(*place).macs, **times[str(place)])
            for place in places
        ),
    )


def _made(place: Placed) -> tuple[Any, torch.Tensor]:
    samples, height, width = place.shape
    operation = build_operation(*place[:4]).eval()
    return operation, torch.randn(samples, place.in_channels, height, width)


def _in_torch(place: Placed, device: str) -> Detect:
    """With the layout and in the precision that it has in a network: other kernels take other times."""
    operation, input = _made(place)
    operation = operation.to(device, memory_format=torch.channels_last)
    input = input.to(device, memory_format=torch.channels_last)
    if any(True for _ in operation.parameters()):
        in_precision(operation)

    def run(_: object) -> None:
        with torch.inference_mode():
            operation(input)
        if device != "cpu":
            torch.cuda.synchronize()

    return run


def _in_onnxruntime(place: Placed, settings: LatencyConfig, path: Path) -> Detect:
    import onnxruntime

    operation, input = _made(place)
    with torch.no_grad(), warnings.catch_warnings():
        # that this exporter is the old one: see `pipeline.deploy.writing`
        warnings.simplefilter("ignore")
        torch.onnx.export(
            exportable(operation),
            (input,),
            str(path),
            input_names=["input"],
            output_names=["output"],
            opset_version=OPSET,
            dynamo=False,
        )
    session = open_session(path, settings.device, settings.threads)
    binding = session.io_binding()
    held = onnxruntime.OrtValue.ortvalue_from_numpy(input.numpy(), settings.device, 0)
    binding.bind_ortvalue_input("input", held)
    binding.bind_output("output", settings.device)

    def run(_: object) -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run
