"""Exported detectors whose convolutions and matrix products compute in int8."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts.files import replacing
from pipeline.deploy.session import EXTENT, IMAGE, OnnxDetector

QUANTIZED = ["Conv", "Gemm", "MatMul"]
"""Operators that compute in int8; boxes, scores and their selection stay in float32."""


def write_int8(exported: Path, images: Iterable[NDArray[np.uint8]], path: Path) -> None:
    """Quantise an exported detector statically, by onnxruntime: weights of each channel, and activations.

    Args:
        exported: a file in float32.
        images: (h, w, 3), RGB, such as the detector was trained on: they say how large activations are.
        path: of the new file.

    Raises:
        NoExportError: the first file is no exported detector.
        PublishError: the system refuses to write.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Calibration(CalibrationDataReader):
        def get_next(self) -> Any:
            return next(inputs, None)

    detector = OnnxDetector(exported)
    inputs = _inputs(detector, images)
    about = detector.about.model_copy(update={"precision": "int8"})
    # it logs every node that it passes by
    logging.getLogger("root").setLevel(logging.ERROR)
    with replacing(path) as temporary, tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        # sizes that depend on the data defeat the symbolic inference of shapes; onnx's own is enough
        quant_pre_process(str(exported), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(temporary),
            Calibration(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        content = onnx.load(str(temporary))
        onnx.helper.set_model_props(content, about.properties())
        onnx.save(content, str(temporary))


def _inputs(
    detector: OnnxDetector, images: Iterable[NDArray[np.uint8]]
) -> Iterator[dict[str, Any]]:
    for image in images:
        entered = detector.enter(image)
        inputs: dict[str, Any] = {IMAGE: entered.pixels}
        if detector.about.size is not None:
            inputs[EXTENT] = np.array(entered.extent, np.int64)
        yield inputs
