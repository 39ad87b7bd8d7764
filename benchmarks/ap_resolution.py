"""What difference of AP a test split can resolve: a bootstrap over images of a detector's detections.

    PYTHONPATH=. .venv/bin/python benchmarks/ap_resolution.py \
        results/<run>/data/detection/annotations/test.json results/<run>/<detector>/evaluation [OTHER]

Images are drawn with replacement, as many as there are, and AP is computed over the draw: the
standard deviation over draws is the standard error of AP. With the evaluation of a second detector the
same draws serve both, and the standard error of the difference is printed too (paired). Without one,
the second detector is the first with a share of its detections taken away at random: a worse
detector that agrees with it on everything else.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.files import read_json
from pipeline.detection.evaluation import coco_metrics

Detections = list[dict[str, Any]]


def drawn_ap(
    truth: dict[str, Any], runs: list[Detections], ids: np.ndarray, folder: Path
) -> list[float]:
    """AP of each list of detections over images drawn with replacement; a copy is an image of its own."""
    objects: dict[int, list[dict[str, Any]]] = {}
    for annotation in truth["annotations"]:
        objects.setdefault(annotation["image_id"], []).append(annotation)
    found: list[dict[int, Detections]] = []
    for detections in runs:
        by_image: dict[int, Detections] = {}
        for detection in detections:
            by_image.setdefault(detection["image_id"], []).append(detection)
        found.append(by_image)
    images = {image["id"]: image for image in truth["images"]}
    content: dict[str, Any] = {**truth, "images": [], "annotations": []}
    copies: list[Detections] = [[] for _ in runs]
    for number, image_id in enumerate(ids.tolist(), 1):
        content["images"].append({**images[image_id], "id": number})
        for annotation in objects.get(image_id, []):
            unique = len(content["annotations"]) + 1
            content["annotations"].append({**annotation, "id": unique, "image_id": number})
        for copy, by_image in zip(copies, found, strict=True):
            copy += [{**each, "image_id": number} for each in by_image.get(image_id, [])]
    path = folder / "draw.json"
    path.write_text(json.dumps(content))
    return [float(coco_metrics(path, copy)["AP"]) for copy in copies]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--images", type=int, nargs="*", default=[100, 400])
    parser.add_argument("--lost", type=float, default=0.05, help="share taken away without OTHER")
    arguments = parser.parse_args()
    truth = read_json(arguments.annotations)
    rng = np.random.default_rng(0)
    first: Detections = read_json(arguments.evaluation / "detections.json")
    if arguments.other:
        second: Detections = read_json(arguments.other / "detections.json")
    else:
        second = [each for each in first if rng.random() >= arguments.lost]
    ids = np.array([image["id"] for image in truth["images"]])
    with tempfile.TemporaryDirectory() as folder:
        whole = drawn_ap(truth, [first, second], ids, Path(folder))
        print(f"{len(ids)} images: AP {whole[0]:.4f} and {whole[1]:.4f}")
        for count in arguments.images:
            aps = np.array(
                [
                    drawn_ap(truth, [first, second], rng.choice(ids, count), Path(folder))
                    for _ in range(arguments.draws)
                ]
            )
            alone, paired = aps.std(0, ddof=1), np.diff(aps).std(ddof=1)
            print(
                f"{count} images, {arguments.draws} draws: standard error of AP {alone[0]:.4f} and "
                f"{alone[1]:.4f}, of the difference of two independent ones "
                f"{float(np.hypot(*alone)):.4f}, of the paired difference {paired:.4f}"
            )


if __name__ == "__main__":
    main()
