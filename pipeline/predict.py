"""Detect objects in images with a searched detector.

Prints one line per detection (image, class, score, box in pixels), and draws them where `--out` is given.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any
from unicodedata import category

from PIL import Image, ImageDraw

from pipeline.artifacts.manifest import MANIFEST, open_artifact
from pipeline.artifacts.weights import WEIGHTS
from pipeline.detection.detector_folder import CONFIG
from pipeline.errors import DetSearchError


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.predict", description=__doc__)
    parser.add_argument("detector", type=Path, help="a detector folder")
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--score", type=float, default=0.3, help="least score shown")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--out", type=Path, help="write the drawn image here (a folder for several images)"
    )
    arguments = parser.parse_args(argv)
    try:
        predict(arguments)
    except DetSearchError as error:
        sys.exit(f"predict: {error}")


def predict(arguments: argparse.Namespace) -> None:
    """Load the detector, detect, print and draw.

    Raises:
        DetSearchError: an image or the detector folder is missing or altered.
    """
    missing = [str(path) for path in arguments.images if not path.is_file()]
    if missing:
        raise DetSearchError(f"no such image: {', '.join(missing)}")
    open_artifact(arguments.detector / MANIFEST)
    # mmdet takes seconds to import: not before the arguments are known to be right
    from mmdet.apis import inference_detector, init_detector

    model: Any = init_detector(
        str(arguments.detector / CONFIG),
        str(arguments.detector / WEIGHTS),
        device=arguments.device,
    )
    classes = model.dataset_meta["classes"]
    for path in arguments.images:
        result: Any = inference_detector(model, str(path))
        found = result.pred_instances.cpu().numpy()
        found = found[found.scores >= arguments.score]
        for label, score, box in zip(found.labels, found.scores, found.bboxes, strict=True):
            corners = " ".join(f"{value:.1f}" for value in box)
            print(f"{path}\t{one_line(classes[label])}\t{score:.3f}\t{corners}")
        if arguments.out:
            several = len(arguments.images) > 1
            draw(path, found, classes, arguments.out / path.name if several else arguments.out)


def one_line(name: str) -> str:
    """A class name as a cell of the printed lines: control characters, which a terminal obeys, as escapes."""
    return "".join(ascii(sign)[1:-1] if category(sign) == "Cc" else sign for sign in name)


def draw(path: Path, found: Any, classes: tuple[str, ...], target: Path) -> None:
    """Draw boxes, class names and scores on an image, enlarged where it is small."""
    image = Image.open(path).convert("RGB")
    scale = 4 if max(image.size) < 256 else 1
    image = image.resize((image.width * scale, image.height * scale))
    canvas = ImageDraw.Draw(image)
    for label, score, box in zip(found.labels, found.scores, found.bboxes, strict=True):
        left, top, right, bottom = (float(value) * scale for value in box)
        canvas.rectangle((left, top, right, bottom), outline=(255, 64, 64), width=2)
        canvas.text((left + 3, top + 1), f"{classes[label]} {score:.2f}", fill=(255, 64, 64))
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target)


if __name__ == "__main__":
    main()
