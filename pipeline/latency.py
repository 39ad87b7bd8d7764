"""Measure exported detectors side by side, from the pixels of an image to its boxes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.artifacts.files import write_json
from pipeline.console import counted, run_program
from pipeline.deploy.latency import Latencies, measure
from pipeline.deploy.sample_images import image_paths, loaded, made_images
from pipeline.deploy.session import OnnxDetector
from pipeline.errors import DetSearchError


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.latency", description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", help=".onnx files of pipeline.export")
    parser.add_argument("--images", type=Path, nargs="+", help="images or folders; else made ones")
    parser.add_argument("--most-images", type=_count, default=8, help="of those (%(default)s)")
    parser.add_argument("--rounds", type=_count, default=20, help="times each image (%(default)s)")
    parser.add_argument("--threads", type=_count, default=1, help="of the runtime (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, …")
    parser.add_argument("--json", type=Path, help="write the record here")
    arguments = parser.parse_args(argv)
    try:
        if arguments.images:
            images = list(loaded(image_paths(arguments.images, arguments.most_images)))
        else:
            sides = [max(OnnxDetector(path).about.image_scale) for path in arguments.models]
            images = made_images(max(sides))
        record = measure(
            arguments.models,
            images,
            device=arguments.device,
            threads=arguments.threads,
            rounds=arguments.rounds,
        )
        print(table(record))
        if arguments.json:
            write_json(arguments.json, record.model_dump(mode="json"))
    except DetSearchError as error:
        sys.exit(f"latency: {error}")


def table(record: Latencies) -> str:
    """The record as lines for a terminal, the fastest detector first."""
    runtime = f"{record.runtime} {record.packages[record.runtime]}"
    lines = [
        f"{runtime} on {record.device}, {counted(record.threads, 'thread')}; "
        f"{counted(record.images, 'image')}, {counted(record.rounds, 'round')}, interleaved; "
        "milliseconds for an image",
        f"{'median':>9} {'quartiles':>19} {'least':>9}  model",
    ]
    for each in sorted(record.models, key=lambda model: model.median):
        quartiles = f"{each.lower_quartile:.2f} to {each.upper_quartile:.2f}"
        lines.append(f"{each.median:9.2f} {quartiles:>19} {each.least:9.2f}  {each.model}")
    return "\n".join(lines)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no count of at least 1")
    return int(text)


if __name__ == "__main__":
    run_program("latency", main)
