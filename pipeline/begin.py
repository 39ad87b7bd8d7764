"""Write a config for your own photographs: sizes and lengths that suit them, for `snakemake front`.

Reads the annotations and the heads of the images, and says what is there, what was chosen, what comes next.
A .json file is COCO's format, a folder of .txt YOLO's, a folder of .xml Pascal VOC's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pipeline.artifacts.files import write_text
from pipeline.config.own_detection import SplitName
from pipeline.console import run_program
from pipeline.data.coco import TOLERABLE
from pipeline.data.defects import DatasetError
from pipeline.errors import DetSearchError
from pipeline.own_config.choices import choose, run_name
from pipeline.own_config.given import Given, Source
from pipeline.own_config.machine import Machine
from pipeline.own_config.telling import told
from pipeline.own_config.text import config_text, validated

LEAST_SIDE = 32
"""Pixels: the coarsest stride of a backbone."""
KINDS = ("annotations", "images")
HOW = "docs/howto/mend_data.md says how to mend it; nothing was written"


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    splits: dict[SplitName, tuple[str, str]] = {"train": (arguments.annotations, arguments.images)}
    for split in ("val", "test"):
        annotations, images = (getattr(arguments, f"{split}_{kind}") for kind in KINDS)
        if images and not annotations:
            parser.error(f"--{split}-images without --{split}-annotations")
        if annotations:
            splits[split] = annotations, images or arguments.images
    given = Given(
        splits, arguments.source, arguments.names, arguments.first_pixel, arguments.tolerated_boxes
    )
    out: Path | None = arguments.out
    try:
        if out is not None:
            _refuse_loss(out, given, arguments.force)
        machine = Machine.here(arguments.device)
        _check_weights(arguments.weights, machine)
        choices = choose(given, machine, arguments.weights, arguments.side, run_name(out))
        text = config_text(choices, out)
        validated(text)
        if out is None:
            print(text, end="")
        else:
            write_text(out, text)
    except DatasetError as error:
        sys.exit("\n".join([f"begin: {error}", *_ways_out(error), HOW]))
    except DetSearchError as error:
        sys.exit(f"begin: {error}")
    for line in told(choices, arguments.side, out):
        print(line, file=sys.stderr if out is None else sys.stdout)


def _refuse_loss(out: Path, given: Given, force: bool) -> None:
    """Raise unless the config may be written there."""
    if out.is_dir():
        raise DetSearchError(f"--out {out} is a folder: name a file")
    if not out.exists():
        return
    if not force:
        raise DetSearchError(f"{out} is there already: --force writes over it")
    texts = [text for pair in given.splits.values() for text in pair]
    read = map(Path, [*texts, *([given.names] if given.names else [])])
    if any(path.exists() and path.samefile(out) for path in read):
        raise DetSearchError(f"--out {out} would write over the data")


def _check_weights(weights: str | None, machine: Machine) -> None:
    """Raise unless there are none, or they fit the network that starts from them."""
    if weights is None:
        return
    if machine.device == "cpu":
        raise DetSearchError(
            "--weights starts a pool of the size of a ResNet-50, which is for a GPU: leave it out, or give "
            "--device cuda to write the config for another machine"
        )
    # torch takes seconds to import
    from pipeline.own_config.weights import require_resnet50

    require_resnet50(Path(weights))


def _ways_out(error: DatasetError) -> Iterator[str]:
    """How defects may be passed over, where that is meant."""
    kinds = {defect.kind for defect in error.defects}
    if "corner before the first pixel" in kinds:
        yield "With --first-pixel 0 corners are coordinates from 0; the config then says so."
    if kinds <= set(TOLERABLE):
        number = len(error.defects)
        yield f"{number} are so. --tolerated-boxes SHARE lets boxes pass, up to that share of a split's."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.begin",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--annotations", type=_text, required=True, help="COCO's file, or YOLO's or VOC's folder")
    add("--images", type=_text, required=True, help="the folder of the images")
    add(
        "--val-annotations",
        type=_text,
        help="of a val set that is there; else a fifth of the images is cut for it",
    )
    add("--val-images", type=_text, help="its images, where they are not among --images")
    add("--test-annotations", type=_text, help="the same of a test set")
    add("--test-images", type=_text, help="its images")
    add(
        "--source",
        choices=get_args(Source),
        help="the format, where it is not as the files' endings say",
    )
    add(
        "--names",
        type=_text,
        help="YOLO's class names, where no data.yaml or classes.txt lies beside",
    )
    add("--first-pixel", type=int, choices=(0, 1), help="VOC's corners are counted from here (1)")
    add("--tolerated-boxes", type=_share, help="share of the boxes that may be unusable (0)")
    add(
        "--side",
        type=_side,
        help="pixels of the longest side; else the images', at most 320 or (GPU) 640",
    )
    add(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="that trains (%(default)s)",
    )
    add(
        "--weights",
        type=_text,
        help="file of a ResNet-50, torchvision's say, that the pool starts from",
    )
    add("--out", type=Path, help="the file to write; else the config is printed")
    add("--force", action="store_true", help="write over a file that is there")
    return parser


def _text(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty: name a file or folder")
    return text


def _side(text: str) -> int:
    if not text.isdecimal() or int(text) < LEAST_SIDE:
        raise argparse.ArgumentTypeError(
            f"{text} is no whole number of pixels from {LEAST_SIDE} on"
        )
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share from 0 to 1")
    return value


if __name__ == "__main__":
    run_program("begin", main)
