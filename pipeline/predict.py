"""Detect objects in images with a searched detector.

Prints one line per detection (image, class, score, box in pixels), draws them where `--out` is given, and
writes all, whatever their score, in COCO's result format where `--json` is given.
"""

from __future__ import annotations

import argparse
import glob
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
from PIL import Image

from pipeline.artifacts.files import write_json
from pipeline.config.image_limits import MOST_PIXELS
from pipeline.console import one_line, run_program
from pipeline.data.images import ImageError, load_image
from pipeline.deploy.picture import draw
from pipeline.deploy.sample_images import image_paths
from pipeline.deploy.session import Found, OnnxDetector
from pipeline.errors import DetSearchError

DRAWN = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
"""Endings of the files that drawings are written to."""
SHOWN = 0.3
"""Least score of what is printed and drawn."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.predict", description=__doc__)
    parser.add_argument(
        "detector", type=Path, help="a detector folder, or an .onnx file of pipeline.export"
    )
    parser.add_argument(
        "images",
        nargs="+",
        help="images, folders of images, and patterns such as 'photos/**/*.jpg'",
    )
    parser.add_argument(
        "--score",
        type=float,
        help=f"least score shown ({SHOWN}), and in --json, which without it holds all",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, …")
    parser.add_argument(
        "--most-pixels",
        type=int,
        default=MOST_PIXELS,
        help="larger images are refused; raise it for aerial photographs (%(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="write the drawn image here: a file for one image, or a folder for any number",
    )
    parser.add_argument(
        "--json",
        type=Path,
        help="write COCO results here: image_id counts the images from 1 in their order, category_id the "
        "classes; each entry also has file_name and category_name",
    )
    arguments = parser.parse_args(argv)
    try:
        predict(arguments)
    except DetSearchError as error:
        sys.exit(f"predict: {error}")


def predict(arguments: argparse.Namespace) -> None:
    """Load the detector, detect, print and draw.

    What a folder or a pattern names and cannot be read is passed over; the exit code is then 1.

    Raises:
        DetSearchError: an image or the detector folder is missing or altered, an image is none, the
            device is not there, or a drawing cannot be written where it should be.
    """
    images, passed_over = _readable(arguments.images, arguments.most_pixels)
    targets = drawing_paths(images, arguments.out) if arguments.out else None
    _check_json(arguments.json, [*images, *(targets or [])])
    detect, classes = _opened(arguments.detector, arguments.device)
    least = SHOWN if arguments.score is None else arguments.score
    results: list[dict[str, Any]] = []
    highest, shown = 0.0, 0
    for number, path in enumerate(images):
        image = _load(path, arguments.most_pixels)
        everything = detect(image)
        highest = max([highest, *map(float, everything.scores)])
        found = everything.above(least)
        shown += len(found.scores)
        for label, score, box in zip(found.labels, found.scores, found.bboxes, strict=True):
            corners = " ".join(f"{value:.1f}" for value in box)
            print(f"{path}\t{one_line(classes[int(label)])}\t{score:.3f}\t{corners}")
        if targets:
            draw(Image.fromarray(image), found, classes, targets[number])
        written = everything if arguments.score is None else found
        for entry in written.coco_results(number + 1, range(1, len(classes) + 1)):
            name = classes[entry["category_id"] - 1]
            results.append({**entry, "file_name": str(path), "category_name": name})
    if arguments.json:
        write_json(arguments.json, results)
    if not shown:
        nearest = f"the highest score is {highest:.3f}" if highest else "nothing at any score"
        print(
            f"predict: no detection with a score of {least:g} or more; {nearest}",
            file=sys.stderr,
        )
    if passed_over:
        sys.exit(1)


def _readable(given: Sequence[str], most_pixels: int) -> tuple[list[Path], int]:
    """The images that arguments name, each read once, and how many of folders and patterns are none."""
    images, problems = [], []
    typed = set(map(Path, given))
    for path in named_images(given):
        try:
            _load(path, most_pixels)
        except DetSearchError as error:
            if path in typed:
                raise
            problems.append(error)
            continue
        images.append(path)
    if problems and not images:
        raise problems[0]
    for problem in problems:
        print(f"predict: passed over: {problem}", file=sys.stderr)
    return images, len(problems)


def named_images(given: Sequence[str]) -> list[Path]:
    """The files that arguments name, each once, in their order.

    Args:
        given: files; folders, which stand for the images in them and in their folders; and patterns of
            `glob`, where there is no file of that name.

    Raises:
        DetSearchError: one names nothing.
    """
    found: dict[Path, None] = {}
    missing = []
    for name in given:
        path = Path(name)
        if path.is_file():
            paths = [path]
        elif path.is_dir():
            paths = image_paths([path])
        else:
            # Path.glob takes no absolute pattern
            matches = map(Path, sorted(glob.glob(name, recursive=True)))  # noqa: PTH207
            paths = [match for match in matches if match.is_file()]
        if not paths:
            missing.append(name)
        found |= dict.fromkeys(paths)
    if missing:
        raise DetSearchError(f"no such image: {', '.join(missing)}")
    return list(found)


def _check_json(target: Path | None, taken: Sequence[Path]) -> None:
    if target is None:
        return
    if target.is_dir():
        raise DetSearchError(f"--json {target} is a folder: name a file")
    if target.resolve() in {path.resolve() for path in taken}:
        raise DetSearchError(f"--json would write over the image {target}: name another file")


def _opened(detector: Path, device: str) -> tuple[Callable[[Any], Found], Sequence[str]]:
    """What detects in an image (h, w, 3), RGB, and the names of its classes."""
    if detector.suffix == ".onnx":
        exported = OnnxDetector(detector, _known(device))
        return exported, exported.about.classes
    device = _device(device)
    # mmdet takes seconds to import: not before the arguments are known to be right
    from pipeline.deploy.loading import open_detector

    model = open_detector(detector, device)
    classes: list[str] = list(model.dataset_meta["classes"])
    from mmdet.apis import inference_detector

    def detect(image: Any) -> Found:
        result: Any = inference_detector(model, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        found = result.pred_instances.cpu().numpy()
        return Found(found.bboxes, found.scores, found.labels)

    return detect, classes


def _known(wanted: str) -> str:
    kind, _, number = wanted.partition(":")
    if wanted != "cpu" and (kind != "cuda" or (":" in wanted and not number.isdecimal())):
        raise DetSearchError(f"--device {wanted} is none: cpu, cuda or cuda:<number>")
    return wanted


def _device(wanted: str) -> str:
    import torch

    kind, _, number = _known(wanted).partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise DetSearchError(f"--device is {wanted}, but no GPU is visible to this process")
    if number and int(number) >= (there := torch.cuda.device_count()):
        raise DetSearchError(f"--device is {wanted}, but there are {there} GPUs, counted from 0")
    return wanted


def _load(path: Path, most_pixels: int) -> Any:
    try:
        return load_image(path, most_pixels)
    except ImageError as error:
        raise DetSearchError(f"{path} {error}") from error
    except OSError as error:
        raise DetSearchError(f"{path} cannot be read: {error.strerror or error}") from error


def drawing_paths(images: Sequence[Path], out: Path) -> list[Path]:
    """Where the drawing of each image goes: no two to one file, and none over an image.

    Args:
        images: as given.
        out: an existing folder, or for several images any folder; or the file of the one drawing.

    Raises:
        DetSearchError: the drawings cannot be written there.
    """
    endings = ", ".join(DRAWN)
    if out.is_dir() or len(images) > 1:
        if out.exists() and not out.is_dir():
            raise DetSearchError(f"--out {out} is a file; drawings of several images need a folder")
        targets: list[Path] = []
        for path in images:
            name = path.name if path.suffix.lower() in DRAWN else f"{path.name}.png"
            target, further = out / name, 1
            while target in targets:
                further += 1
                target = out / f"{Path(name).stem}-{further}{Path(name).suffix}"
            targets.append(target)
    elif out.suffix.lower() in DRAWN:
        targets = [out]
    else:
        raise DetSearchError(
            f"--out {out} is no folder, and has no ending of an image ({endings}): make the folder, or "
            "add an ending"
        )
    given = {path.resolve() for path in images}
    for target in targets:
        if target.resolve() in given:
            raise DetSearchError(f"--out would write over the image {target}: name another folder")
    return targets


if __name__ == "__main__":
    run_program("predict", main)
