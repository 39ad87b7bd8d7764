"""A detector as an ONNX file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.artifacts.files import replacing
from pipeline.config.optimization import COARSEST_STRIDE
from pipeline.config.run import Computing
from pipeline.deploy.graph import DetectorGraph
from pipeline.deploy.layers import ExportError
from pipeline.deploy.metadata import ExportedDetector
from pipeline.deploy.operators import OPSET
from pipeline.deploy.session import EXTENT, IMAGE, OUTPUTS
from pipeline.training.computing import computed

TRACED = (COARSEST_STRIDE * 3 - 5, COARSEST_STRIDE * 4 - 9)
"""Height and width of the image that a graph of any size is traced with: no multiples, so that padding is."""


def describe(
    model: Any,
    classes: Sequence[str],
    image_scale: tuple[int, int],
    size: tuple[int, int] | None = None,
) -> ExportedDetector:
    """The metadata of a detector's file.

    Args:
        model: the mmdet detector.
        classes: names, in the order of labels.
        image_scale: longest and shortest side that images are resized to.
        size: height and width, where the graph is to take no other.

    Raises:
        ExportError: the size is not made of multiples of 32.
    """
    if size is not None and any(side % COARSEST_STRIDE for side in size):
        raise ExportError(
            f"size {size[0]}x{size[1]}: both sides must be multiples of {COARSEST_STRIDE}"
        )
    settings = model.test_cfg.get("rcnn", model.test_cfg)
    preprocessor = model.data_preprocessor
    return ExportedDetector(
        classes=tuple(classes),
        image_scale=image_scale,
        size=size,
        mean=tuple(preprocessor.mean.flatten().tolist()),
        std=tuple(preprocessor.std.flatten().tolist()),
        score_threshold=settings.score_thr,
        nms_iou=settings.nms.iou_threshold,
        detections=settings.max_per_img,
        family=type(model).__name__,
    )


def write_onnx(model: nn.Module, about: ExportedDetector, path: Path) -> None:
    """Write a detector, from the pixels of one image to its boxes.

    The exporter traces: it needs no proof about sizes that depend on the data, as the one by torch.export
    does, and takes a tenth of its time. What a trace could fix to one size shows in the check at other sizes.
    The file computes in float32 whatever `run.precision` is: ONNX Runtime has no convolution in bf16.

    Args:
        model: an mmdet detector, on the CPU.
        about: its metadata.
        path: of the file.

    Raises:
        ExportError: it cannot be written as ONNX.
        PublishError: the system refuses to write.
    """
    import onnx

    fixed = about.size is not None
    graph = DetectorGraph(model, fixed=fixed).eval()
    height, width = about.size or TRACED
    # noise, so that there are proposals of many sizes
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, 3, height, width), generator=generator, dtype=torch.uint8)
    inputs = (image, torch.tensor([height - 5, width - 9])) if fixed else (image,)
    axes: dict[str, Any] = {OUTPUTS[0]: {0: "D"}, OUTPUTS[1]: {0: "D"}, OUTPUTS[2]: {0: "D"}}
    if not fixed:
        axes[IMAGE] = {2: "H", 3: "W"}
    with replacing(path) as temporary:
        try:
            with computed(Computing()), torch.no_grad(), warnings.catch_warnings():
                # of values that a trace takes for constants: checked by running it
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    graph,
                    inputs,
                    str(temporary),
                    input_names=[IMAGE, EXTENT][: len(inputs)],
                    output_names=list(OUTPUTS),
                    dynamic_axes=axes,
                    opset_version=OPSET,
                    dynamo=False,
                )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ExportError(f"{about.family} cannot be written as ONNX: {reason}") from error
        content = onnx.load(str(temporary))
        onnx.helper.set_model_props(content, about.properties())
        onnx.checker.check_model(content)
        onnx.save(content, str(temporary))
