"""Write a detector as an ONNX file that goes from the pixels of an image to its boxes.

The file is compared with the PyTorch detector, and written only if both find the same.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.console import counted, run_program
from pipeline.data.index import FILE_NAME, DatasetIndex, Split
from pipeline.errors import DetSearchError

CHECKED, CALIBRATED = 8, 64
"""How many images are compared, and how many say how large activations are."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.export", description=__doc__)
    parser.add_argument("detector", type=Path, help="a detector folder")
    parser.add_argument("--onnx", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--size", type=_size, help="HxW, multiples of 32: the graph takes this size only"
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="a run's data/detection: compares on its val images, calibrates on its train images, and "
        "prints AP on val",
    )
    parser.add_argument(
        "--images",
        type=Path,
        nargs="+",
        help=f"images or folders to compare on, {CHECKED} of them; made ones without this and --data",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="also write <name>.int8.onnx, whose convolutions compute in int8",
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        help=f"folder of images to calibrate int8 on, {CALIBRATED} of them",
    )
    arguments = parser.parse_args(argv)
    try:
        export(arguments)
    except DetSearchError as error:
        sys.exit(f"export: {error}")


def export(arguments: argparse.Namespace) -> None:
    """Load, write, compare; quantise and measure where that is asked for.

    Raises:
        DetSearchError: an argument, an image or the detector folder cannot be used, or the detector
            cannot be exported.
    """
    target: Path = arguments.onnx
    if target.suffix != ".onnx":
        raise DetSearchError(f"--onnx {target}: the name must end with .onnx")
    if arguments.int8 and not (arguments.calibrate or arguments.data):
        raise DetSearchError(
            "--int8 needs images like those of the training: --calibrate or --data"
        )
    index = _dataset(arguments.data) if arguments.data else None
    # all of them import torch, which takes seconds: not before the arguments are known to be right
    from pipeline.artifacts.files import replacing
    from pipeline.deploy.loading import image_scale, open_detector
    from pipeline.deploy.parity import compare
    from pipeline.deploy.sample_images import made_images
    from pipeline.deploy.session import OnnxDetector
    from pipeline.deploy.writing import describe, write_onnx

    given = _images(arguments.images, index, "val", CHECKED)
    samples = _images(
        [arguments.calibrate] if arguments.calibrate else None, index, "train", CALIBRATED
    )
    model: Any = open_detector(arguments.detector)
    about = describe(model, model.dataset_meta["classes"], image_scale(model), arguments.size)
    # a file that computes something else never gets the name that was asked for
    with replacing(target) as temporary:
        write_onnx(model, about, temporary)
        exported = OnnxDetector(temporary)
        made = made_images(min(max(about.image_scale), 640)) if given is None else given
        parity = compare(model, exported, made)
        parity.check()
    print(
        f"{target}: {about.family}, {counted(len(about.classes), 'class', 'classes')}, {_input(about.size)}"
    )
    print(f"compared with PyTorch on {'made' if given is None else 'the given'} images: {parity}")
    if not parity.detections:
        print(
            "none of these images shows anything to the detector: compare on others with --images"
        )
    if index:
        _print_ap(target, index)
    if arguments.int8:
        from pipeline.deploy.quantization import write_int8

        assert samples is not None
        quantized = target.with_suffix(".int8.onnx")
        write_int8(target, samples, quantized)
        print(f"{quantized}: in int8")
        if index:
            _print_ap(quantized, index)


def _size(text: str) -> tuple[int, int]:
    if not (found := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)):
        raise argparse.ArgumentTypeError(
            f"{text} is no size: give height and width, such as 480x640"
        )
    return int(found[1]), int(found[2])


def _input(size: tuple[int, int] | None) -> str:
    return f"images of {size[0]}x{size[1]}" if size else "images of any size"


def _dataset(folder: Path) -> DatasetIndex:
    try:
        index = DatasetIndex.load(folder / FILE_NAME)
    except (OSError, ValueError) as error:
        raise DetSearchError(f"--data {folder} is no dataset of a run: {error}") from error
    if index.kind != "detection":
        raise DetSearchError(f"--data {folder} is a classification dataset")
    return index


def _images(
    given: list[Path] | None, index: DatasetIndex | None, split: Split, most: int
) -> Iterable[NDArray[np.uint8]] | None:
    """The images given on the command line, else those of the split that have annotations' names."""
    from pipeline.artifacts.files import read_json
    from pipeline.deploy.sample_images import image_paths, loaded

    if given:
        return loaded(image_paths(given, most))
    if index is None:
        return None
    place = index.split(split)
    names = [image["file_name"] for image in read_json(place.annotations)["images"]]
    return itertools.islice(loaded([place.images / name for name in names]), most)


def _print_ap(path: Path, index: DatasetIndex) -> None:
    from pipeline.deploy.accuracy import exported_metrics
    from pipeline.deploy.session import OnnxDetector

    metrics = exported_metrics(OnnxDetector(path), index.split("val"))
    print(f"{path}: AP on val {metrics['AP']:.4f}, AP50 {metrics['AP50']:.4f}")


if __name__ == "__main__":
    run_program("export", main)
